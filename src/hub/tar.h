// Tar archives, as much as an export needs: regular files with names and sizes of any length (POSIX pax).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss::hub {

// Fills as much of the span as there is; 0 at the end.
using ByteSource = std::function<Result<std::size_t>(std::span<std::byte>)>;
using ByteSink = std::function<Status(std::span<const std::byte>)>;

struct TarEntry {
  std::string path;  // as in the archive; a trailing '/' is a folder. Nobody has checked where it leads
  std::uint64_t size = 0;
  bool is_folder = false;
};

// Reads ustar, pax and GNU's long names. Links, devices and sparse files are kUnsupported; what is no tar, or
// ends early, is kDataLoss.
class TarReader {
 public:
  explicit TarReader(ByteSource source) : source_(std::move(source)) {}
  // The next entry, or nullopt at the end. What was not read of the entry before is skipped.
  Result<std::optional<TarEntry>> Next();
  // Content of the entry; 0 at its end.
  Result<std::size_t> Read(std::span<std::byte> into);

 private:
  Status ReadExactly(std::span<std::byte> into);
  Result<std::string> ReadText(std::uint64_t size);
  Status Skip(std::uint64_t bytes);

  ByteSource source_;
  std::uint64_t left_ = 0;     // of the entry's content
  std::uint64_t padding_ = 0;  // behind it
};

// Begin(), exactly `size` bytes by Append(), End(); then Finish().
class TarWriter {
 public:
  explicit TarWriter(ByteSink sink) : sink_(std::move(sink)) {}
  Status Begin(std::string_view path, std::uint64_t size);
  Status Append(std::span<const std::byte> bytes) { return sink_(bytes); }
  Status End();
  Status Finish();

 private:
  Status Header(std::string_view path, std::uint64_t size, char type);
  Status Pad(std::uint64_t size);
  ByteSink sink_;
  std::uint64_t size_ = 0;
};

}  // namespace gptoss::hub
