// Parser events of a turn -> chunks for a reader; ends an answer at a stop string.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "harmony/parser.h"
#include "provider/agent_provider.h"
#include "provider/stop_strings.h"

namespace gptoss {

// Used by one turn on its thread.
class StreamMapper {
 public:
  StreamMapper(const StreamOptions& options, const OnChunk& on_chunk, const CancelSource& stop)
      : on_chunk_(on_chunk), stop_(stop), stops_(options.stop) {}

  void Event(const harmony::ParserEvent& event, const harmony::StreamParser& parser);
  // After the turn: shows what was held back, makes `result` say what was shown, and puts the end together.
  StreamDone Finish(TurnResult& result);

 private:
  void Show(StreamChunk::Channel channel, std::string text, std::string recipient = {});

  const OnChunk& on_chunk_;
  const CancelSource& stop_;
  StopStrings stops_;
  std::string answer_;
  std::int32_t message_ = -1;
  bool answer_open_ = false;
  bool failed_ = false;  // the reader threw: it wants no more
};

}  // namespace gptoss
