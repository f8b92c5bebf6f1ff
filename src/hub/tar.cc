#include "hub/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <map>

namespace gptoss::hub {
namespace {

constexpr std::size_t kTarBlock = 512;
constexpr std::uint64_t kMaxText = 1 << 16;                // a pax header or a long name
constexpr std::uint64_t kMaxOctalSize = (1ULL << 33) - 1;  // eleven octal digits
constexpr std::uint64_t kMaxTarSize = 1ULL << 50;
using TarBlock = std::array<char, kTarBlock>;

std::unexpected<Error> BrokenTar(std::string_view what) {
  return Fail(ErrorCode::kDataLoss, fmt::format("not a whole tar archive: {}", what));
}

std::uint64_t PaddingOf(std::uint64_t size) { return (kTarBlock - size % kTarBlock) % kTarBlock; }

std::string_view Field(const TarBlock& block, std::size_t at, std::size_t length) {
  const std::string_view field(block.data() + at, length);
  return field.substr(0, std::min(field.find('\0'), length));
}

std::optional<std::uint64_t> Octal(std::string_view field) {
  const std::size_t begin = field.find_first_not_of(' ');
  if (begin == std::string_view::npos) return std::nullopt;
  field = field.substr(begin, field.find_last_not_of(' ') - begin + 1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
  if (error != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return value;
}

// Sizes beyond eleven octal digits: GNU writes the number itself, its first byte 0x80.
std::optional<std::uint64_t> SizeOf(const TarBlock& block) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(block.data()) + 124;
  if (bytes[0] != 0x80) return Octal(Field(block, 124, 12));
  std::uint64_t value = 0;
  for (int i = 1; i < 12; ++i) {
    if (value > std::numeric_limits<std::uint64_t>::max() >> 8) return std::nullopt;
    value = value << 8 | bytes[i];
  }
  return value;
}

std::uint64_t ChecksumOf(const TarBlock& block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kTarBlock; ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
  return sum;
}

// "27 path=some/name\n" …; what is malformed ends it.
std::map<std::string, std::string> PaxRecords(std::string_view text) {
  std::map<std::string, std::string> records;
  while (!text.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || length > text.size() || length < digits + 3 || text[digits] != ' ') break;
    const std::string_view record = text.substr(digits + 1, length - digits - 2);
    const std::size_t equals = record.find('=');
    if (equals != std::string_view::npos)
      records[std::string(record.substr(0, equals))] = record.substr(equals + 1);
    text.remove_prefix(length);
  }
  return records;
}

// The length counts its own digits.
std::string PaxRecord(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length)
    length = fmt::formatted_size("{}", length) + rest;
  return fmt::format("{} {}={}\n", length, key, value);
}

}  // namespace

Status TarReader::ReadExactly(std::span<std::byte> into) {
  while (!into.empty()) {
    GPTOSS_TRY(const std::size_t got, source_(into));
    if (got == 0) return BrokenTar("it ends in the middle");
    into = into.subspan(got);
  }
  return {};
}

Status TarReader::Skip(std::uint64_t bytes) {
  std::array<std::byte, 1 << 14> buffer;
  while (bytes > 0) {
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer.size()));
    GPTOSS_CHECK_OK(ReadExactly(std::span(buffer).first(now)));
    bytes -= now;
  }
  return {};
}

Result<std::string> TarReader::ReadText(std::uint64_t size) {
  if (size > kMaxText) return BrokenTar("a name of more than 64 kB");
  std::string text(static_cast<std::size_t>(size), '\0');
  GPTOSS_CHECK_OK(ReadExactly(std::as_writable_bytes(std::span(text))));
  GPTOSS_CHECK_OK(Skip(PaddingOf(size)));
  return text;
}

Result<std::optional<TarEntry>> TarReader::Next() {
  GPTOSS_CHECK_OK(Skip(left_ + padding_));
  left_ = padding_ = 0;
  std::optional<std::string> name, size_text;
  while (true) {
    TarBlock block{};
    GPTOSS_CHECK_OK(ReadExactly(std::as_writable_bytes(std::span(block))));
    if (std::ranges::all_of(block, [](char c) { return c == 0; })) return std::nullopt;
    const auto checksum = Octal(Field(block, 148, 8));
    if (!checksum || *checksum != ChecksumOf(block)) return BrokenTar("a header's checksum is wrong");
    std::optional<std::uint64_t> size = SizeOf(block);
    if (!size || *size > kMaxTarSize) return BrokenTar("a size makes no sense");
    const char type = block[156];
    if (type == 'x' || type == 'g' || type == 'L') {
      GPTOSS_TRY(const std::string text, ReadText(*size));
      if (type == 'L') name = text.substr(0, text.find('\0'));
      if (type == 'x') {
        const auto records = PaxRecords(text);
        if (const auto it = records.find("path"); it != records.end()) name = it->second;
        if (const auto it = records.find("size"); it != records.end()) size_text = it->second;
      }
      continue;
    }
    TarEntry entry;
    entry.path = Field(block, 0, 100);
    if (Field(block, 257, 5) == "ustar" && !Field(block, 345, 155).empty() && block[262] == '\0')
      entry.path = fmt::format("{}/{}", Field(block, 345, 155), entry.path);
    if (name) entry.path = *name;
    if (size_text) {
      std::uint64_t value = 0;
      const char* last = size_text->data() + size_text->size();
      const auto [end, error] = std::from_chars(size_text->data(), last, value);
      if (error != std::errc() || end != last || value > kMaxTarSize)
        return BrokenTar("a size makes no sense");
      size = value;
    }
    if (type == '5') {
      entry.is_folder = true;
      GPTOSS_CHECK_OK(Skip(*size + PaddingOf(*size)));
      return entry;
    }
    if (type != '0' && type != '\0' && type != '7')
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("{} in the archive is a link or a device; only plain files are taken", entry.path));
    entry.size = left_ = *size;
    padding_ = PaddingOf(*size);
    return entry;
  }
}

Result<std::size_t> TarReader::Read(std::span<std::byte> into) {
  into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_)));
  if (into.empty()) return std::size_t{0};
  GPTOSS_TRY(const std::size_t got, source_(into));
  if (got == 0) return BrokenTar("it ends in the middle of a file");
  left_ -= got;
  return got;
}

Status TarWriter::Header(std::string_view path, std::uint64_t size, char type) {
  TarBlock block{};
  const auto put = [&](std::size_t at, std::string_view text) {
    std::memcpy(block.data() + at, text.data(), text.size());
  };
  put(0, path.substr(0, 100));
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", std::min(size, kMaxOctalSize)));
  put(136, "00000000000");  // no time: the same model is the same archive
  block[156] = type;
  put(257, std::string_view("ustar\00000", 8));
  put(148, fmt::format("{:06o}", ChecksumOf(block)));
  block[154] = '\0';
  block[155] = ' ';
  return sink_(std::as_bytes(std::span(block)));
}

Status TarWriter::Pad(std::uint64_t size) {
  static constexpr TarBlock kZeros{};
  return sink_(std::as_bytes(std::span(kZeros).first(static_cast<std::size_t>(PaddingOf(size)))));
}

Status TarWriter::Begin(std::string_view path, std::uint64_t size) {
  std::string extended;
  if (path.size() > 100) extended += PaxRecord("path", path);
  if (size > kMaxOctalSize) extended += PaxRecord("size", fmt::format("{}", size));
  if (!extended.empty()) {
    GPTOSS_CHECK_OK(Header("PaxHeader", extended.size(), 'x'));
    GPTOSS_CHECK_OK(sink_(std::as_bytes(std::span(extended))));
    GPTOSS_CHECK_OK(Pad(extended.size()));
  }
  size_ = size;
  return Header(path, size, '0');
}

Status TarWriter::End() { return Pad(size_); }

Status TarWriter::Finish() {
  static constexpr std::array<char, 2 * kTarBlock> kEnd{};
  return sink_(std::as_bytes(std::span(kEnd)));
}

}  // namespace gptoss::hub
