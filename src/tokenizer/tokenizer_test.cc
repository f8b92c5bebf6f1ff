#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <random>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tokenizer/scanner.h"
#include "tokenizer/testing/golden.h"

namespace gptoss {
namespace {

using ::gptoss::testing::Golden;
using ::gptoss::testing::O200k;

std::uint32_t Crc32(std::string_view bytes) {  // zlib's polynomial
  static const auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xEDB88320U ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 255] ^ (crc >> 8);
  return ~crc;
}

TEST(O200k, EveryGoldenCase) {
  int count = 0;
  for (const char* file : {"o200k_cases.json", "o200k_gpt_tokenizer_disagreements.json"}) {
    const Json golden = Golden(file);
    for (const Json& c : golden["cases"]) {
      const auto text = c[1].get<std::string>();
      ASSERT_EQ(O200k().EncodeText(text), c[2].get<std::vector<TokenId>>()) << text;
      ASSERT_EQ(O200k().Decode(c[2].get<std::vector<TokenId>>()), text);
      ++count;
    }
  }
  EXPECT_EQ(count, 3808);
}

TEST(O200k, SpelledOutControlTokensStayText) {
  const Json golden = Golden("o200k_special_cases.json");
  ASSERT_EQ(golden["cases"].size(), 26U);
  for (const Json& c : golden["cases"]) {
    const auto text = c["text"].get<std::string>();
    const std::vector<TokenId> ids = O200k().EncodeText(text);
    EXPECT_EQ(ids, c["ordinary"].get<std::vector<TokenId>>()) << text;
    for (const TokenId id : ids) ASSERT_FALSE(O200k().IsSpecial(id));
  }
}

TEST(O200k, SpecialTokensComeFromTheFile) {
  const Json common = Golden("o200k_special_tokens.json")["common"];
  for (const auto& [name, id] : common.items()) EXPECT_EQ(O200k().SpecialByName(name), id.get<TokenId>());
  EXPECT_EQ(O200k().special().start, common["<|start|>"].get<TokenId>());
  EXPECT_EQ(O200k().special().call, common["<|call|>"].get<TokenId>());
  EXPECT_EQ(O200k().SpecialByName("<|nothing|>"), std::nullopt);
  EXPECT_EQ(O200k().size(), 200019);
  EXPECT_FALSE(O200k().IsKnown(200500));
  EXPECT_FALSE(O200k().IsKnown(-1));
}

TEST(O200k, EveryUnicodeScalarInSixContexts) {
  const Json blocks = Golden("o200k_codepoint_blocks.json")["blocks"];
  int count = 0;
  for (const auto& [name, crc] : blocks.items()) {
    const auto block = static_cast<char32_t>(std::stoul(name, nullptr, 16));
    std::string bytes;
    std::vector<TokenId> ids;
    for (char32_t cp = block * 256; cp < block * 256 + 256; ++cp) {
      std::string c;
      AppendUtf8(cp, c);
      for (const std::string& text :
           {c, "a" + c + "B", " " + c + c + "\n", "1" + c + "2", "!" + c + "/", "A" + c + "'s"}) {
        ids.clear();
        O200k().EncodeText(text, ids);
        ids.push_back(-1);
        for (const TokenId id : ids) {
          for (int shift = 0; shift < 32; shift += 8)
            bytes.push_back(static_cast<char>(static_cast<std::uint32_t>(id) >> shift & 255));
        }
      }
    }
    ASSERT_EQ(Crc32(bytes), std::stoul(crc.get<std::string>(), nullptr, 16)) << "block " << name;
    ++count;
  }
  EXPECT_EQ(count, 4344);
}

TEST(O200k, AMegabyteInOnePieceAndOtherTraps) {
  constexpr std::size_t kSize = 1 << 20;
  for (const std::string& text :
       {std::string(kSize, 'A'), std::string(kSize, '^'), std::string(kSize, ' ') + "x",
        std::string(kSize, '\n'), std::string(kSize, '1')}) {
    EXPECT_EQ(O200k().Decode(O200k().EncodeText(text)), text);
  }
}

TEST(O200k, RandomTextSurvivesTheRoundTripAndInvalidBytesAreReplaced) {
  std::mt19937 rng(5);
  for (int round = 0; round < 500; ++round) {
    std::string text, noise;
    for (auto i = rng() % 40; i > 0; --i) {
      auto c = static_cast<char32_t>(rng() % (round % 2 == 0 ? 0x300 : 0x110000));
      if (c >= 0xD800 && c < 0xE000) c = ' ';
      AppendUtf8(c, text);
      noise.push_back(static_cast<char>(rng()));
    }
    ASSERT_EQ(O200k().Decode(O200k().EncodeText(text)), text);
    ASSERT_EQ(O200k().EncodeText(noise), O200k().EncodeText(ReplaceInvalidUtf8(noise)));
  }
}

TEST(Detokenizer, EmitsWholeCharactersOnly) {
  StreamingDetokenizer stream(O200k());
  const std::string text = "a 😀 naïve 漢字 👩‍👩‍👧";
  std::string all;
  for (const TokenId id : O200k().EncodeText(text)) {
    const std::string delta = stream.Push(id);
    EXPECT_TRUE(IsValidUtf8(delta));
    all += delta;
  }
  EXPECT_EQ(all + stream.Flush(), text);
  EXPECT_EQ(stream.Push(9552), " ");  // 20 F0 9F: text and the beginning of a character
  EXPECT_EQ(stream.Flush(), "\uFFFD");
  EXPECT_EQ(stream.Flush(), "");
}

// GPT-2's spelling of bytes.
std::string Spell(std::string_view bytes) {
  static const auto letters = [] {
    std::array<std::string, 256> table;
    char32_t extra = 256;
    for (char32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      AppendUtf8(printable ? byte : extra++, table[byte]);
    }
    return table;
  }();
  std::string out;
  for (const char c : bytes) out += letters[static_cast<unsigned char>(c)];
  return out;
}

// A tiny tokenizer.json: the 256 bytes and a few merges.
std::string TinyJson() {
  Json vocab = Json::object();
  for (int byte = 0; byte < 256; ++byte) vocab[Spell(std::string(1, static_cast<char>(byte)))] = byte;
  vocab["ab"] = 256, vocab["abc"] = 257, vocab["bc"] = 258;
  Json root = {
      {"added_tokens", Json::array({{{"id", 300}, {"content", "<|start|>"}, {"special", true}}})},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "Sequence"},
        {"pretokenizers",
         Json::array({{{"type", "Split"}, {"pattern", {{"Regex", std::string(O200kPattern())}}}}})}}},
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array({"a b"})}}}};
  return DumpJson(root);
}

TEST(TokenizerJson, LoadsASmallFileAndMergesByRank) {
  const auto tokenizer = Tokenizer::FromJson(TinyJson(), "tiny").value();
  EXPECT_EQ(tokenizer->EncodeText("abc"), (std::vector<TokenId>{257}));
  EXPECT_EQ(tokenizer->EncodeText("bcab"), (std::vector<TokenId>{258, 256}));  // ab first, then bc
  EXPECT_EQ(tokenizer->special().start, 300);
  EXPECT_EQ(tokenizer->special().end, -1);
}

TEST(TokenizerJson, WrongFilesGetOneSentence) {
  const auto message = [](std::string json, std::string_view from, std::string_view to) {
    if (const auto at = json.find(from); at != std::string::npos) json.replace(at, from.size(), to);
    const auto loaded = Tokenizer::FromJson(json, "t.json");
    return loaded ? std::string("loaded") : loaded.error().message;
  };
  const std::string good = TinyJson();
  EXPECT_EQ(message(good, "", ""), "loaded");
  EXPECT_NE(message(good.substr(0, 500), "", "").find("t.json: not valid JSON"), std::string::npos);
  EXPECT_EQ(message(good, "\"BPE\"", "\"WordPiece\""), "t.json: model.type: expected \"BPE\"");
  EXPECT_EQ(message(good, "\"bc\":258", "\"bc\":400"),
            "t.json: model.vocab: 259 entries, but the largest id is 401");
  EXPECT_EQ(message(good, "\"bc\":258", "\"bc\":257"), "t.json: model.vocab: id 257 occurs twice");
  EXPECT_EQ(message(good, "\"bc\":258", "\"bc\":-3"), "t.json: model.vocab: the id of \"bc\" is no id");
  EXPECT_EQ(message(good, "\"bc\":258", "\"b c\":258"),
            "t.json: model.vocab: entry 258 (\"b c\") is no byte-level token or occurs twice");
  EXPECT_EQ(message(good, "{1,3}", "{1,2}"), "t.json: pre_tokenizer: expected the split pattern of o200k");
  EXPECT_EQ(message(good, "\"id\":300", "\"id\":5"),
            "t.json: added_tokens: id 5 of <|start|> is not beyond the vocabulary");
  EXPECT_EQ(message("[]", "", ""), "t.json: model.type: expected \"BPE\"");
}

TEST(Gguf, TheSameTokenizerOutOfMetadata) {
  // The real vocabulary once more, spelled as GGUF spells it.
  std::vector<std::string> spelled(static_cast<std::size_t>(O200k().size()));
  for (TokenId id = 0; id < O200k().size(); ++id) {
    const std::string_view bytes = O200k().TokenBytes(id);
    spelled[static_cast<std::size_t>(id)] = id < 199998 ? Spell(bytes) : std::string(bytes);
  }
  std::vector<GgufToken> tokens;
  for (std::size_t i = 0; i < spelled.size(); ++i) tokens.push_back({spelled[i], i < 199998 ? 1 : 3});
  const auto tokenizer = Tokenizer::FromGguf(tokens, "gguf").value();
  EXPECT_EQ(tokenizer->special().message, O200k().special().message);
  for (const char* text : {"Hello, wörld!\n\n  x = 1234;", "नमस्ते 漢字 'll"})
    EXPECT_EQ(tokenizer->EncodeText(text), O200k().EncodeText(text));
  tokens[5].text = "t 5";
  EXPECT_FALSE(Tokenizer::FromGguf(tokens, "gguf").has_value());
}

}  // namespace
}  // namespace gptoss
