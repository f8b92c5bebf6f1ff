// A model for tests that does what the prompt says. Behind it are the real provider, engine,
// Harmony renderer and parser; only the logits are made up. Lines of the user's last message that begin with
// '!' are what it does, one call of a tool ending one answer:
//
//   !think TEXT      reasoning                     !preamble TEXT    a message on commentary
//   !say TEXT        the answer                    !call NAME JSON   calls a tool
//   !apart TEXT      the answer, each character a token of its own, as no tokenizer would write it
//   !repeat NAME JSON  calls it again and again    !slow MS          so long for each token from here on
//   !context         says how many user messages and results it sees, and whether an interruption is marked
//   !raw TOKENS      exactly these, control tokens spelled out
//
// Without any it answers "You said: " and the message; asked for a title it gives one.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "engine/testing/fake_backend.h"
#include "provider/agent_provider.h"
#include "provider/load_tokenizer.h"
#include "provider/testing/engine_model.h"

namespace gptoss::testing {

class ScriptReader {
 public:
  // Is told every prompt, on the engine's thread.
  using Watch = std::function<void(const std::vector<std::int32_t>& prompt)>;

  ScriptReader(std::shared_ptr<const Tokenizer> tokenizer, Watch watch)
      : tokenizer_(std::move(tokenizer)), watch_(std::move(watch)) {}

  // The id that follows `ids`.
  TokenId Next(const std::vector<std::int32_t>& ids) const {
    const Seen seen = Look(ids);
    if (seen.generated == 0 && watch_) watch_(ids);
    std::int64_t slow_ms = 0;
    const std::vector<TokenId> completion = Ids(Completion(seen, slow_ms));
    if (slow_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(slow_ms));
    return seen.generated < completion.size() ? completion[seen.generated] : tokenizer_->special().return_;
  }

 private:
  struct Seen {
    std::string user;           // the last message of the user
    std::size_t results = 0;    // of tools, after it
    std::size_t generated = 0;  // ids of this answer so far
    std::size_t users = 0;
    bool interrupted = false;
    std::string last_result;
  };

  std::string Text(std::span<const std::int32_t> ids) const { return tokenizer_->Decode(ids); }

  Seen Look(const std::vector<std::int32_t>& ids) const {
    const SpecialTokens& special = tokenizer_->special();
    Seen seen;
    std::size_t answer = 0;
    bool open = false;  // the answer began
    for (std::size_t at = 0; at < ids.size(); ++at) {
      if (ids[at] != special.start) continue;
      std::size_t header_end = at + 1;
      while (header_end < ids.size() && !IsControl(ids[header_end])) ++header_end;
      const std::string header = Text(std::span(ids).subspan(at + 1, header_end - at - 1));
      if (header.starts_with("assistant")) {
        if (!open) answer = at + 1 + Ids("assistant").size();
        open = true;
        continue;
      }
      open = false;
      std::size_t from = header_end;
      while (from < ids.size() && ids[from] != special.message) ++from;
      std::size_t to = from;
      while (to < ids.size() && ids[to] != special.end) ++to;
      const std::string body = from < to ? Text(std::span(ids).subspan(from + 1, to - from - 1)) : "";
      if (header.starts_with("user")) {
        ++seen.users;
        seen.results = 0;
        seen.user = body;
        seen.interrupted = body.find("interrupted your previous turn") != std::string::npos;
      } else if (header.starts_with("functions.")) {
        ++seen.results;
        seen.last_result = body;
      }
    }
    seen.generated = ids.size() - answer;
    return seen;
  }
  bool IsControl(std::int32_t id) const {
    const SpecialTokens& special = tokenizer_->special();
    return id == special.message || id == special.channel || id == special.end || id == special.start;
  }

  static std::string Message(std::string_view channel, std::string_view text, std::string_view end) {
    return fmt::format("<|channel|>{}<|message|>{}<|{}|>", channel, text, end);
  }

  // With a mark between characters, at which Ids cuts.
  static constexpr char kCut = '\x1F';
  static std::string Apart(std::string_view text) {
    std::string cut;
    for (const char c : text) {
      if (!cut.empty() && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U) cut += kCut;
      cut += c;
    }
    return cut;
  }

  // Text in which control tokens are spelled out, without the "<|start|>assistant" that the prompt ends in.
  static std::string Completion(const Seen& seen, std::int64_t& slow_ms) {
    std::vector<std::vector<std::string>> answers(1);
    bool repeats = false, any = false;
    std::string_view rest = seen.user;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (!line.starts_with('!')) continue;
      any = true;
      const std::size_t space = std::min(line.find(' '), line.size());
      const std::string_view verb = line.substr(1, space - 1),
                             text = line.substr(std::min(space + 1, line.size()));
      const std::size_t second = std::min(text.find(' '), text.size());
      auto& messages = answers.back();
      if (verb == "slow") slow_ms = std::stoll(std::string(text));
      if (verb == "think") messages.push_back(Message("analysis", text, "end"));
      if (verb == "preamble") messages.push_back(Message("commentary", text, "end"));
      if (verb == "say") messages.push_back(Message("final", text, "return"));
      if (verb == "apart") messages.push_back(Message("final", Apart(text), "return"));
      if (verb == "raw") messages.emplace_back(text);
      if (verb == "context")
        messages.push_back(Message("final",
                                   fmt::format("users={} results={} interrupted={} last={}", seen.users,
                                               seen.results, seen.interrupted ? 1 : 0, seen.last_result),
                                   "return"));
      if (verb == "call" || verb == "repeat") {
        messages.push_back(
            fmt::format("<|channel|>commentary to=functions.{} <|constrain|>json<|message|>{}<|call|>",
                        text.substr(0, second), text.substr(std::min(second + 1, text.size()))));
        repeats = verb == "repeat";
        answers.emplace_back();
      }
    }
    if (seen.user.starts_with("Give this conversation a title"))
      return Message("final", "A title by the model", "return");
    if (!any) return Message("final", "You said: " + seen.user, "return");
    const std::size_t which = repeats ? 0 : std::min(seen.results, answers.size() - 1);
    std::string text;
    for (const std::string& message : answers[which])
      text += (text.empty() ? "" : "<|start|>assistant") + message;
    if (text.empty()) text = Message("final", "Done: " + seen.last_result, "return");
    if (text.ends_with("<|end|>")) text += "<|start|>assistant" + Message("final", "Done.", "return");
    return text;
  }

  std::vector<TokenId> Ids(std::string_view text) const {
    std::vector<TokenId> ids;
    while (!text.empty()) {
      const std::size_t close = text.find("|>");
      if (text.starts_with("<|") && close != std::string_view::npos) {
        if (const auto id = tokenizer_->SpecialByName(text.substr(0, close + 2))) {
          ids.push_back(*id);
          text.remove_prefix(close + 2);
          continue;
        }
      }
      const std::size_t next = std::min({text.find("<|", 1), text.find(kCut), text.size()});
      tokenizer_->EncodeText(text.substr(0, next), ids);
      text.remove_prefix(next < text.size() && text[next] == kCut ? next + 1 : next);
    }
    return ids;
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  Watch watch_;
};

constexpr std::int64_t kPromptedContext = 32'000;

struct PromptedOptions {
  ModelState state = ModelState::kInstalled;
  ScriptReader::Watch watch = {};             // is told every prompt
  std::shared_ptr<FakeControl> control = {};  // of its backend, for tests that look there; {}: one of its own
  std::chrono::milliseconds load_time{0};
  bool installable = false;  // Install fetches it, which takes a second; else it fails
};

class PromptedModel final : public EngineModel {
 public:
  PromptedModel(const std::shared_ptr<const Tokenizer>& tokenizer, std::shared_ptr<const Model> model,
                const Options& options, const PromptedOptions& prompted)
      : EngineModel(Control(tokenizer, prompted), tokenizer, std::move(model), options.engine,
                    kPromptedContext) {}

 private:
  static std::shared_ptr<FakeControl> Control(const std::shared_ptr<const Tokenizer>& tokenizer,
                                              const PromptedOptions& prompted) {
    const auto control = prompted.control ? prompted.control : std::make_shared<FakeControl>();
    const auto reader = std::make_shared<ScriptReader>(tokenizer, prompted.watch);
    control->logits = [reader](const std::vector<std::int32_t>& ids, std::span<float> logits) {
      for (float& logit : logits) logit = 0;
      logits[static_cast<std::size_t>(reader->Next(ids))] = 1000;
    };
    return control;
  }
};

class PromptedSource final : public ModelSource {
 public:
  explicit PromptedSource(const PromptedOptions& options) : options_(options), state_(options.state) {}
  Availability Look() override {
    Availability look{.state = state_};
    if (state_ == ModelState::kNotInstalled) look.reason = "the test has not installed it";
    if (options_.installable) look.download_bytes = kBytes;
    return look;
  }
  Result<Checkpoint> Open(const std::optional<std::string>&) override { return OpenDemoCheckpoint(); }
  Result<std::unique_ptr<LoadedModel>> Load(const Checkpoint& checkpoint, const LoadedModel::Options& options,
                                            const std::function<void(double)>& on_fraction,
                                            const CancelToken& cancel) override {
    GPTOSS_CHECK_OK(Spend(options_.load_time, cancel, on_fraction));
    GPTOSS_TRY(auto tokenizer, LoadTokenizer(checkpoint));
    return std::make_unique<PromptedModel>(std::move(tokenizer), checkpoint.model, options, options_);
  }
  Status Install(const std::string& acknowledged_by, const std::function<void(const Availability&)>& on_state,
                 const CancelToken& cancel) override {
    if (!options_.installable) return Fail(ErrorCode::kUnsupported, "nothing to install in a test");
    if (acknowledged_by.empty()) return Fail(ErrorCode::kPermissionDenied, "the licence was not accepted");
    GPTOSS_CHECK_OK(Spend(std::chrono::seconds(1), cancel, [&](double fraction) {
      on_state({.state = ModelState::kDownloading, .download_bytes = kBytes, .fraction = fraction});
    }));
    state_ = ModelState::kInstalled;
    return {};
  }

 private:
  static constexpr std::uint64_t kBytes = 12'100'000'000;
  static Status Spend(std::chrono::milliseconds time, const CancelToken& cancel,
                      const std::function<void(double)>& on_fraction) {
    const auto begun = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begun < time) {
      if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begun;
      on_fraction(std::min(1.0, spent / std::chrono::duration<double>(time)));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    on_fraction(1);
    return {};
  }

  const PromptedOptions options_;
  std::atomic<ModelState> state_;
};

}  // namespace gptoss::testing
