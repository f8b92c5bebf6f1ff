// What the headers of a Hub and its CDN say, read strictly: nothing here trusts its input.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_client.h"

namespace gptoss::hub {

// "bytes 0-9/100", "bytes */100". Numbers beyond 2^63 and everything else malformed: nullopt.
struct ContentRange {
  std::optional<std::uint64_t> first, last;  // both or none (416)
  std::optional<std::uint64_t> total;        // "*" : not said
};
std::optional<ContentRange> ParseContentRange(std::string_view text);

std::optional<std::uint64_t> ParseDecimal(std::string_view text);  // digits only

// The URL of rel="next" in a Link header; nullopt if it has none.
std::optional<std::string> ParseNextLink(std::string_view text);

// An entity tag without its quotes: W/"abc" -> abc.
std::string NormaliseEtag(std::string_view text);
// The tag as sent, if it is a strong one that may stand in If-Range; else "".
std::string StrongEtag(const net::Headers& headers);

// How long a 429 or 503 asks to wait: RateLimit (draft-ietf-httpapi-ratelimit-headers, t of an entry with
// r=0), else Retry-After in seconds or as a date, which is measured against the answer's own Date, as clocks
// differ.
std::optional<std::chrono::seconds> RequestedWait(const net::Headers& headers);
// Seconds since 1970 of an HTTP date (IMF-fixdate); nullopt otherwise.
std::optional<std::int64_t> ParseHttpDate(std::string_view text);

// Text of a server fit for one line of a message: no control characters, valid UTF-8, at most 300 bytes.
std::string ForMessage(std::string_view text);

}  // namespace gptoss::hub
