// Does the answer fit what was asked? Decided from the head alone, before a byte is written.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "net/http_client.h"

namespace gptoss::hub {

struct Asked {
  std::uint64_t begin = 0, end = 0, size = 0;  // [begin, end) of a file of `size` bytes
  bool ranged = false;                         // with a Range header
  std::string if_range;                        // ETag sent along; "" if none
};

struct Verdict {
  enum class Kind : std::uint8_t {
    kBytes,           // body is [first, last + 1)
    kRedirect,        // look at Location
    kRefused,         // 401, 403, 404, 410: a signed URL that expired, or no access
    kLater,           // transient status; `wait` if it says how long
    kNotSatisfiable,  // 416
    kOtherSize,       // the file there has another size: `total`
    kOtherBytes,      // another range than asked, or compressed
    kChanged,         // If-Range did not hold: there is other content now
    kNoFile,          // nothing that a file server would say
  };
  Kind kind = Kind::kNoFile;
  std::uint64_t first = 0, last = 0;
  bool length_known = false;  // the body's length is announced: an early end shows as an error
  std::optional<std::uint64_t> total;
  std::optional<std::chrono::seconds> wait;
  std::string text;  // what is wrong, for messages: "answered with bytes 0-9 when asked for 5-9"
};
Verdict Judge(const Asked& asked, const net::HttpHead& head);

}  // namespace gptoss::hub
