#include "hub/answer_check.h"

#include <fmt/format.h>

#include "hub/http_text.h"
#include "hub/request_policy.h"

namespace gptoss::hub {
namespace {

using Kind = Verdict::Kind;

Verdict Wrong(Kind kind, std::string text, std::optional<std::uint64_t> total = std::nullopt) {
  return {.kind = kind, .total = total, .text = std::move(text)};
}

Verdict JudgeWhole(const Asked& asked, const net::HttpHead& head) {
  const std::string etag = StrongEtag(head.headers);
  const auto length = net::FindHeader(head.headers, "content-length");
  const auto bytes = ParseDecimal(length.value_or(""));
  if (length && (!bytes || *bytes != asked.size)) {
    const auto type = net::FindHeader(head.headers, "content-type").value_or("");
    const char* page =
        type.starts_with("text/html") ? " (a web page: this network may want you to sign in)" : "";
    return Wrong(Kind::kOtherSize,
                 fmt::format("offers {} bytes instead of {}{}", ForMessage(*length), asked.size, page),
                 bytes);
  }
  if (!asked.if_range.empty() && !etag.empty() && etag != asked.if_range) {
    return Wrong(Kind::kChanged, "has other content than before");
  }
  return {.kind = Kind::kBytes, .first = 0, .last = asked.size - 1, .length_known = length.has_value()};
}

Verdict JudgePart(const Asked& asked, const net::HttpHead& head) {
  const auto text = net::FindHeader(head.headers, "content-range");
  const auto range = ParseContentRange(text.value_or(""));
  const std::string shown = text ? ForMessage(*text) : "a part without saying which";
  const auto other = [&] {
    return Wrong(Kind::kOtherBytes, fmt::format("answered with {} when asked for bytes {}-{}", shown,
                                                asked.begin, asked.end - 1));
  };
  if (!asked.ranged || !range || !range->first || !range->last) return other();
  if (range->total && *range->total != asked.size) {
    return Wrong(Kind::kOtherSize, fmt::format("offers {} bytes instead of {}", *range->total, asked.size),
                 range->total);
  }
  if (*range->first != asked.begin || *range->last >= asked.end) return other();
  const auto length = net::FindHeader(head.headers, "content-length");
  if (length && ParseDecimal(*length) != *range->last - *range->first + 1) return other();
  return {
      .kind = Kind::kBytes, .first = *range->first, .last = *range->last, .length_known = length.has_value()};
}

}  // namespace

Verdict Judge(const Asked& asked, const net::HttpHead& head) {
  if (IsRedirect(head.status)) return {.kind = Kind::kRedirect};
  if (IsTransient(head.status)) {
    return {
        .kind = Kind::kLater,
        .wait = RequestedWait(head.headers),
        .text = head.status == 429 ? "limits the rate of requests" : fmt::format("answered {}", head.status)};
  }
  if (head.status == 401 || head.status == 403 || head.status == 404 || head.status == 410) {
    return Wrong(Kind::kRefused, fmt::format("refuses ({})", head.status));
  }
  if (head.status == 416) {
    const auto range = ParseContentRange(net::FindHeader(head.headers, "content-range").value_or(""));
    const auto total = range ? range->total : std::nullopt;
    if (total && *total != asked.size) {
      return Wrong(Kind::kOtherSize, fmt::format("offers {} bytes instead of {}", *total, asked.size), total);
    }
    return Wrong(Kind::kNotSatisfiable, fmt::format("has no bytes from {} on", asked.begin), total);
  }
  if (head.status != 200 && head.status != 206) {
    return Wrong(Kind::kNoFile, fmt::format("answered {} when asked for a file", head.status));
  }
  const auto encoding = net::FindHeader(head.headers, "content-encoding");
  if (encoding && !encoding->empty() && *encoding != "identity") {
    return Wrong(Kind::kOtherBytes, "compresses although plain bytes were asked for");
  }
  return head.status == 200 ? JudgeWhole(asked, head) : JudgePart(asked, head);
}

}  // namespace gptoss::hub
