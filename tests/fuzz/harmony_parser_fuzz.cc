// Any sequence of ids: events stay in order, memory stays bounded.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "harmony/parser.h"
#include "tiny_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const gptoss::testing::TinyTokenizer tokenizer;
  if (size == 0) return 0;
  gptoss::harmony::ParserOptions options;
  options.role = (data[0] & 1) != 0 ? "assistant" : "";
  options.starts_in_content = (data[0] & 2) != 0;
  options.max_message_bytes = 1000;
  options.max_messages = 20;
  gptoss::harmony::StreamParser parser(tokenizer, options);
  std::vector<gptoss::harmony::ParserEvent> events;
  for (std::size_t i = 1; i < size; ++i) {
    // High bytes are control tokens and ids that do not exist.
    parser.Push(data[i] < 0xE0 ? data[i] : 256 + (data[i] & 15), events);
  }
  parser.Finish(events);
  std::size_t total = 0, deltas = 0;
  for (const auto& event : events) deltas += event.text.size();
  for (const auto& message : parser.messages()) total += message.content.size();
  if (total != deltas || parser.messages().size() > 20) std::abort();
  return 0;
}
