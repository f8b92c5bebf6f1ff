#include "hub/journal.h"

#include <algorithm>
#include <map>
#include <optional>

#include "hub/byte_sum.h"

namespace gptoss::hub {
namespace {

constexpr std::string_view kMagic = "gptossJ2";
constexpr std::size_t kRecordBytes = 40;
constexpr std::uint64_t kRecordMark = 0x544E45545845;  // "EXTENT", little endian

void Put(std::string& out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
}
void PutText(std::string& out, std::string_view text) {
  Put(out, text.size());
  out += text;
}

std::uint64_t SumOf(std::string_view text, std::uint64_t seed) {
  return ByteSum::Of({reinterpret_cast<const std::byte*>(text.data()), text.size()}, seed);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::optional<std::uint64_t> Number() {
    if (bytes_.size() - at_ < 8) return std::nullopt;
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[at_ + i])) << (8 * i);
    }
    at_ += 8;
    return value;
  }
  std::optional<std::string_view> Text(std::uint64_t length) {
    if (bytes_.size() - at_ < length) return std::nullopt;
    const std::string_view text = bytes_.substr(at_, length);
    at_ += length;
    return text;
  }
  std::optional<std::string_view> SizedText(std::uint64_t most) {
    const auto length = Number();
    if (!length || *length > most) return std::nullopt;
    return Text(*length);
  }
  std::size_t at() const { return at_; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

// The header's fields; false where it is damaged. Leaves the reader at the first record.
bool ReadHeader(Reader& reader, std::string_view bytes, Journal& journal) {
  if (reader.Text(kMagic.size()) != kMagic) return false;
  const auto hash = reader.SizedText(64);
  const auto size = reader.Number();
  const auto salt = reader.Number();
  const auto copy = reader.Number();
  const auto origin = reader.SizedText(1024);
  const auto etag = reader.SizedText(1024);
  const auto sums = reader.Number();
  if (!hash || !size || !salt || !copy || !origin || !etag || !sums) return false;
  if (*copy < 1 || *copy > 2 || *sums > *size / kExtentBytes + 1 || *sums > bytes.size() / 8) return false;
  journal.hash.hex = *hash;
  journal.size = *size;
  journal.salt = *salt;
  journal.copy = static_cast<int>(*copy);
  journal.etag_origin = *origin;
  journal.etag = *etag;
  for (std::uint64_t i = 0; i < *sums; ++i) {
    const auto sum = reader.Number();
    if (!sum) return false;
    journal.first_sums.push_back(*sum);
  }
  const std::size_t end = reader.at();
  const auto check = reader.Number();
  return check && *check == SumOf(bytes.substr(0, end), 1);
}

using ExtentMap = std::map<std::uint64_t, Extent>;

void Insert(ExtentMap& extents, const Extent& extent) {
  auto at = extents.lower_bound(extent.offset);
  if (at != extents.begin() && std::prev(at)->second.offset + std::prev(at)->second.length > extent.offset)
    --at;
  while (at != extents.end() && at->first < extent.offset + extent.length) at = extents.erase(at);
  extents.emplace(extent.offset, extent);
}

}  // namespace

std::string EncodeHeader(const Journal& journal) {
  std::string out(kMagic);
  PutText(out, journal.hash.hex);
  Put(out, journal.size);
  Put(out, journal.salt);
  Put(out, static_cast<std::uint64_t>(journal.copy));
  PutText(out, journal.etag_origin);
  PutText(out, journal.etag);
  Put(out, journal.first_sums.size());
  for (const std::uint64_t sum : journal.first_sums) Put(out, sum);
  Put(out, SumOf(out, 1));
  return out;
}

std::string EncodeRecord(const Journal& journal, const Extent& extent) {
  std::string out;
  Put(out, kRecordMark);
  Put(out, extent.offset);
  Put(out, extent.length);
  Put(out, extent.sum);
  Put(out, SumOf(out, journal.salt));
  return out;
}

std::string EncodeJournal(const Journal& journal) {
  std::string out = EncodeHeader(journal);
  for (const Extent& extent : journal.extents) out += EncodeRecord(journal, extent);
  return out;
}

Result<Journal> ParseJournal(std::string_view bytes, const ContentHash& hash, std::uint64_t size) {
  Journal journal;
  Reader reader(bytes);
  if (!ReadHeader(reader, bytes, journal)) return Fail(ErrorCode::kDataLoss, "the journal's head is damaged");
  if (journal.hash != hash || journal.size != size) {
    return Fail(ErrorCode::kDataLoss, "the journal is of another file");
  }
  ExtentMap extents;
  for (std::size_t at = reader.at(); at + kRecordBytes <= bytes.size(); at += kRecordBytes) {
    const std::string_view record = bytes.substr(at, kRecordBytes);
    Reader fields(record);
    const auto next = [&fields] { return fields.Number().value_or(0); };  // a record is never short
    const std::uint64_t mark = next();
    const Extent extent{next(), next(), next()};
    const std::uint64_t check = next();
    if (mark != kRecordMark || check != SumOf(record.substr(0, kRecordBytes - 8), journal.salt)) continue;
    if (extent.length == 0 || extent.length > kExtentBytes || extent.offset > size ||
        extent.length > size - extent.offset) {
      continue;
    }
    Insert(extents, extent);
  }
  for (const auto& [offset, extent] : extents) journal.extents.push_back(extent);
  return journal;
}

}  // namespace gptoss::hub
