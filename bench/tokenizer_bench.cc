// Loading, encoding and decoding with the real vocabulary, one thread. bench/tokenizer_peers.py runs this
// beside others.
//   tokenizer_bench [--tokenizer FILE] [TEXT...]
// Without texts: this project's own sources, as code.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "tokenizer/tokenizer.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;

// The best of `times` runs, in seconds: the least disturbed one.
double Best(int times, const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < times; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

std::string OwnSources() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(GPTOSS_SOURCE_DIR) / "src")) {
    const fs::path extension = entry.path().extension();
    if (extension == ".cc" || extension == ".h") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string text;
  for (const fs::path& file : files) text += ReadFile(file).value_or("");
  return text;
}

void Report(const Tokenizer& tokenizer, const std::string& name, const std::string& text) {
  std::vector<TokenId> ids;
  const double encode = Best(9, [&] {
    ids.clear();
    tokenizer.EncodeText(text, ids);
  });
  std::string back;
  const double decode = Best(9, [&] { back = tokenizer.Decode(ids); });
  const double mb = static_cast<double>(text.size()) / 1e6;
  fmt::print("{:<20} {:>9.3f} MB {:>9} tokens   encode {:>7.1f} MB/s   decode {:>7.1f} MB/s\n", name, mb,
             ids.size(), mb / encode, mb / decode);
  std::uint32_t hash = 0;  // the peers' ids are compared by it
  for (const TokenId id : ids) hash = hash * 31 + static_cast<std::uint32_t>(id);
  fmt::print(
      "{{\"text\":\"{}\",\"tokens\":{},\"hash\":{},\"encode_mb_s\":{:.2f},\"decode_mb_s\":{:.2f},\"same\":{}}"
      "}\n",
      name, ids.size(), hash, mb / encode, mb / decode, back == text);
}

// One piece that no rule splits: the worst for byte-pair merging.
void ReportPiece(const Tokenizer& tokenizer, const char* name, const std::string& piece) {
  std::vector<TokenId> ids;
  const double seconds = Best(2, [&] {
    ids.clear();
    tokenizer.EncodeText(piece, ids);
  });
  fmt::print("{{\"piece\":\"{}\",\"bytes\":{},\"tokens\":{},\"seconds\":{:.3f}}}\n", name, piece.size(),
             ids.size(), seconds);
}

int Run(int argc, char** argv) {
  fs::path file = fs::path(GPTOSS_SOURCE_DIR) / "build/test-data/o200k/tokenizer.json";
  std::vector<std::string> texts(argv + 1, argv + argc);
  if (texts.size() >= 2 && texts[0] == "--tokenizer") {
    file = texts[1];
    texts.erase(texts.begin(), texts.begin() + 2);
  }
  const auto tokenizer = Tokenizer::FromFile(file);
  if (!tokenizer) {
    fmt::print(stderr, "{}\nThe real vocabulary is made by tools/fetch_test_data.sh\n",
               tokenizer.error().message);
    return 1;
  }
  const double load = Best(5, [&] { (void)Tokenizer::FromFile(file); });
  fmt::print("{{\"load_seconds\":{:.4f}}}\n", load);
  if (texts.empty()) {
    Report(**tokenizer, "src", OwnSources());
  }
  for (const std::string& path : texts) {
    const auto text = ReadFile(path);
    if (!text) {
      fmt::print(stderr, "{}\n", text.error().message);
      return 1;
    }
    Report(**tokenizer, fs::path(path).filename().string(), *text);
  }
  std::string random_letters;  // no merge is likely, so that all parts stay in play
  for (std::uint32_t i = 0, state = 1; i < 1'000'000; ++i) {
    state = state * 1664525 + 1013904223;
    random_letters += static_cast<char>('a' + (state >> 24) % 26);
  }
  ReportPiece(**tokenizer, "1 MB of one letter", std::string(1'000'000, 'a'));
  ReportPiece(**tokenizer, "1 MB of random letters", random_letters);
  ReportPiece(**tokenizer, "1 MB of blanks", std::string(1'000'000, ' '));
  return 0;
}

}  // namespace
}  // namespace gptoss

int main(int argc, char** argv) { return gptoss::Run(argc, argv); }
