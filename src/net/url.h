// Addresses: http and https only, checked before anything is sent anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss::net {

struct Url {
  std::string text;    // normalised
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address keeps its brackets
  std::uint16_t port = 0;
  std::string target;  // path and query, at least "/"

  // "https://host", with the port where it is not the scheme's own. Two URLs with equal origins are served by
  // the same party: what one may see, the other may.
  std::string origin() const;
  bool secure() const { return scheme == "https"; }
  // 127.0.0.0/8, ::1 and "localhost": this machine itself.
  bool loopback() const;
};

// kInvalidArgument, with a sentence, for anything but a well-formed http(s) URL: other schemes, user names or
// passwords inside, control characters, blanks, more than 8 KiB.
Result<Url> ParseUrl(std::string_view text);
// `reference` as a browser on page `base` would read it (RFC 3986, 5.2).
Result<Url> ResolveUrl(const Url& base, std::string_view reference);
// Everything but unreserved characters and those in `keep` becomes %XX.
std::string PercentEncode(std::string_view text, std::string_view keep = "");

}  // namespace gptoss::net
