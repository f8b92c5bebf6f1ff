// Any bytes as what a Hub says in headers and JSON. The first byte chooses the reader.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hub/answer_check.h"
#include "hub/http_text.h"
#include "hub/hub_json.h"
#include "net/url.h"

namespace {

void ReadHeaders(std::string_view text) {
  using namespace gptoss::hub;
  if (const auto range = ParseContentRange(text); range && range->first && *range->last < *range->first)
    std::abort();
  (void)ParseNextLink(text);
  (void)NormaliseEtag(text);
  (void)ParseHttpDate(text);
  const std::string value(text);
  (void)StrongEtag({{"ETag", value}});
  for (const char* name : {"RateLimit", "Retry-After"}) {
    const auto wait = RequestedWait({{name, value}, {"Date", value}});
    if (wait && wait->count() < 0) std::abort();
  }
  if (ForMessage(text).size() > 1000) std::abort();
  const Asked asked{.begin = 5, .end = 10, .size = 100, .ranged = true};
  for (const int status : {200, 206, 416}) {
    const Verdict verdict =
        Judge(asked, {.status = status, .headers = {{"Content-Range", value}, {"Content-Length", value}}});
    if (verdict.kind == Verdict::Kind::kBytes && status == 206 && (verdict.first != 5 || verdict.last >= 10))
      std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      ReadHeaders(text);
      break;
    case 1: {
      std::vector<gptoss::hub::FileEntry> files;
      if (!gptoss::hub::ParseTreePage(text, files)) break;
      for (const auto& file : files) {
        if (file.hash.hex.size() != 40 && file.hash.hex.size() != 64) std::abort();
      }
      break;
    }
    case 2:
      if (const auto info = gptoss::hub::ParseRevisionInfo(text); info && info->commit.size() != 40)
        std::abort();
      break;
    default:
      if (const auto url = gptoss::net::ParseUrl(text)) {
        const auto again = gptoss::net::ParseUrl(url->text);
        if (!again || again->origin() != url->origin()) std::abort();
        (void)gptoss::net::ResolveUrl(*url, text);
      }
  }
  return 0;
}
