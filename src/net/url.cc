#include "net/url.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace gptoss::net {
namespace {

constexpr std::size_t kLongestUrl = 8192;

struct CurlUrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, CurlUrlDeleter>;

std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  std::string result;
  if (curl_url_get(url, part, &text, flags) == CURLUE_OK && text != nullptr) result = text;
  curl_free(text);
  return result;
}

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool HasForbidden(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u <= 0x20 || u == 0x7F;
  });
}

// For messages: what cannot do harm on a terminal, and no query, which may be signed.
std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, std::min<std::size_t>(text.size(), 100))) {
    if (c == '?') break;
    const auto u = static_cast<unsigned char>(c);
    shown += u <= 0x20 || u == 0x7F ? '?' : c;
  }
  return shown;
}

Result<Url> FromHandle(CURLU* handle, std::string_view original) {
  Url url;
  url.scheme = Lower(Part(handle, CURLUPART_SCHEME));
  if (url.scheme != "http" && url.scheme != "https") {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is not an http or https address", Shown(original)));
  }
  if (!Part(handle, CURLUPART_USER).empty() || !Part(handle, CURLUPART_PASSWORD).empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "an address with a user name or password inside is not accepted; give a token instead");
  }
  url.host = Lower(Part(handle, CURLUPART_HOST));
  if (url.host.empty()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' names no host", Shown(original)));
  }
  const std::string port = Part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  unsigned number = 0;
  for (const char c : port) number = number * 10 + static_cast<unsigned>(c - '0');
  url.port = static_cast<std::uint16_t>(number);
  curl_url_set(handle, CURLUPART_FRAGMENT, nullptr, 0);
  url.target = Part(handle, CURLUPART_PATH);
  if (const std::string query = Part(handle, CURLUPART_QUERY); !query.empty()) url.target += "?" + query;
  if (url.target.empty()) url.target = "/";
  url.text = url.origin() + url.target;
  return url;
}

}  // namespace

std::string Url::origin() const {
  const bool usual = port == (secure() ? 443 : 80);
  return usual ? fmt::format("{}://{}", scheme, host) : fmt::format("{}://{}:{}", scheme, host, port);
}

bool Url::loopback() const {
  if (host == "localhost" || host.ends_with(".localhost") || host == "[::1]") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

Result<Url> ParseUrl(std::string_view text) {
  if (text.empty()) return Fail(ErrorCode::kInvalidArgument, "an empty address");
  if (text.size() > kLongestUrl) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("an address of {} bytes is too long", text.size()));
  }
  if (HasForbidden(text)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' has a blank or control character; write it as %XX", Shown(text)));
  }
  const CurlUrl handle(curl_url());
  const std::string owned(text);
  if (!handle ||
      curl_url_set(handle.get(), CURLUPART_URL, owned.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a web address", Shown(text)));
  }
  return FromHandle(handle.get(), text);
}

Result<Url> ResolveUrl(const Url& base, std::string_view reference) {
  if (reference.empty() || reference.size() > kLongestUrl || HasForbidden(reference)) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} sent an address that is empty, too long or has control characters", base.host));
  }
  const CurlUrl handle(curl_url());
  const std::string owned(reference);
  if (!handle || curl_url_set(handle.get(), CURLUPART_URL, base.text.c_str(), 0) != CURLUE_OK ||
      curl_url_set(handle.get(), CURLUPART_URL, owned.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} sent '{}', which is not a web address", base.host, Shown(reference)));
  }
  return FromHandle(handle.get(), reference);
}

std::string PercentEncode(std::string_view text, std::string_view keep) {
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos || keep.find(c) != std::string_view::npos) {
      encoded += c;
      continue;
    }
    const auto u = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[u >> 4];
    encoded += kDigits[u & 15];
  }
  return encoded;
}

}  // namespace gptoss::net
