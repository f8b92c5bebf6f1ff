// Any ids in a message of a history: the prompt is either these ids, then they say the message, or what the
// fields say. No control token gets in but where a header has one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "harmony/render.h"
#include "harmony/sampled_ids.h"
#include "tiny_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const gptoss::testing::TinyTokenizer tokenizer;
  namespace harmony = gptoss::harmony;
  std::vector<gptoss::TokenId> ids;
  for (std::size_t i = 0; i < size; ++i)  // high bytes are control tokens and ids that do not exist
    ids.push_back(data[i] < 0xE0 ? data[i] : 256 + (data[i] & 15));
  // The message that a parser reads from them, so that some of the inputs fit.
  const auto& special = tokenizer.special();
  const auto body = std::find(ids.begin(), ids.end(), special.message);
  std::string text;
  for (auto id = body; id != ids.end(); ++id) {
    if (*id < 128) text += static_cast<char>(*id);
  }
  harmony::Message message = harmony::AssistantMessage("final", text);
  const auto of = [&] {
    return harmony::Render({{message}}, tokenizer, {.mode = harmony::RenderMode::kConversation}).value().ids;
  };
  const auto fields = of();
  message.ids = ids;
  const bool copied = harmony::IdsSayTheMessage(message, tokenizer);
  const auto rendered = of();
  if (rendered != (copied ? ids : fields)) std::abort();
  if (std::count(rendered.begin(), rendered.end(), special.start) != 1) std::abort();
  if (std::count(rendered.begin(), rendered.end(), special.end) != 1) std::abort();
  if (std::count(rendered.begin(), rendered.end(), special.message) != 1) std::abort();
  if (copied && tokenizer.Decode(ids).find(text) == std::string::npos) std::abort();
  const std::size_t header = data != nullptr && size > 0 ? data[0] % (ids.size() + 1) : 0;
  const std::span<const gptoss::TokenId> all(ids);
  const auto cut = harmony::CutIntoMessages(all.first(header), all.subspan(header), size % 5, special);
  if (cut.size() != size % 5) std::abort();
  return 0;
}
