#include "model/weights.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace gptoss {
namespace {

double Bf16(const std::byte* p) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, p, 2);
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

double F32(const std::byte* p) {
  float value = 0;
  std::memcpy(&value, p, 4);
  return value;
}

// IEEE 754 binary16.
double F16(const std::byte* p) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, p, 2);
  const int exponent = (bits >> 10) & 0x1F;
  const int mantissa = bits & 0x3FF;
  double value = 0;
  if (exponent == 0) {
    value = std::ldexp(mantissa, -24);
  } else if (exponent == 31) {
    value = mantissa == 0 ? HUGE_VAL : NAN;
  } else {
    value = std::ldexp(mantissa + 1024, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

// E2M1, OCP Microscaling Formats 1.0, table 5.
constexpr std::array<double, 16> kE2m1 = {0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6};

double E8m0(std::byte scale) {
  return scale == std::byte{255} ? std::nan("") : std::ldexp(1.0, std::to_integer<int>(scale) - 127);
}

void DecodeAffine8(const std::byte* data, const std::byte* scales, const std::byte* biases, std::int64_t cols,
                   double* out) {
  for (std::int64_t i = 0; i < cols; ++i) {
    const std::int64_t group = i / 64;
    out[i] = Bf16(scales + 2 * group) * std::to_integer<int>(data[i]) + Bf16(biases + 2 * group);
  }
}

void DecodeMxfp4Split(const std::byte* data, const std::byte* scales, std::int64_t cols, double* out) {
  for (std::int64_t i = 0; i < cols; ++i) {
    const int code = (std::to_integer<int>(data[i / 2]) >> (i % 2 * 4)) & 15;
    out[i] = kE2m1[static_cast<std::size_t>(code)] * E8m0(scales[i / 32]);
  }
}

void DecodeBlocks(const MatrixView& m, const std::byte* data, double* out) {
  for (std::int64_t block = 0; block < m.cols / 32; ++block) {
    for (int i = 0; i < 32; ++i) {
      double& value = out[block * 32 + i];
      if (m.format == WeightFormat::kQ8_0) {
        const std::byte* p = data + block * 34;
        value = F16(p) * static_cast<std::int8_t>(std::to_integer<int>(p[2 + i]));
      } else {
        const std::byte* p = data + block * 17;
        const int code = (std::to_integer<int>(p[1 + i % 16]) >> (i / 16 * 4)) & 15;
        value = kE2m1[static_cast<std::size_t>(code)] * E8m0(p[0]);
      }
    }
  }
}

}  // namespace

std::string_view WeightFormatName(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return "F32";
    case WeightFormat::kF16:
      return "F16";
    case WeightFormat::kBF16:
      return "BF16";
    case WeightFormat::kAffine8:
      return "affine 8-bit";
    case WeightFormat::kQ8_0:
      return "Q8_0";
    case WeightFormat::kMxfp4Split:
    case WeightFormat::kMxfp4Gguf:
      return "MXFP4";
  }
  return "?";
}

std::int64_t GroupSize(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
    case WeightFormat::kF16:
    case WeightFormat::kBF16:
      return 1;
    case WeightFormat::kAffine8:
      return 64;
    default:
      return 32;
  }
}

std::int64_t RowBytes(WeightFormat format, std::int64_t cols) {
  switch (format) {
    case WeightFormat::kF32:
      return cols * 4;
    case WeightFormat::kF16:
    case WeightFormat::kBF16:
      return cols * 2;
    case WeightFormat::kAffine8:
      return cols;
    case WeightFormat::kQ8_0:
      return cols / 32 * 34;
    case WeightFormat::kMxfp4Split:
      return cols / 2;
    case WeightFormat::kMxfp4Gguf:
      return cols / 32 * 17;
  }
  return 0;
}

void DecodeRow(const MatrixView& m, std::int64_t row, double* out) {
  const std::byte* data = m.data + row * m.row_stride;
  const std::byte* scales = m.scales + (m.scales == nullptr ? 0 : row * m.scale_stride);
  const std::byte* biases = m.biases + (m.biases == nullptr ? 0 : row * m.scale_stride);
  switch (m.format) {
    case WeightFormat::kF32:
      for (std::int64_t i = 0; i < m.cols; ++i) out[i] = F32(data + 4 * i);
      return;
    case WeightFormat::kF16:
      for (std::int64_t i = 0; i < m.cols; ++i) out[i] = F16(data + 2 * i);
      return;
    case WeightFormat::kBF16:
      for (std::int64_t i = 0; i < m.cols; ++i) out[i] = Bf16(data + 2 * i);
      return;
    case WeightFormat::kAffine8:
      return DecodeAffine8(data, scales, biases, m.cols, out);
    case WeightFormat::kMxfp4Split:
      return DecodeMxfp4Split(data, scales, m.cols, out);
    default:
      return DecodeBlocks(m, data, out);
  }
}

}  // namespace gptoss
