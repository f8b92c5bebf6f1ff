// Readers of checkpoints: the golden files load in every layout and mean the same; damaged files get one
// sentence.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/json.h"
#include "model/checkpoint.h"
#include "model/gguf.h"
#include "model/layout.h"
#include "model/tensor.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;
const fs::path kGolden = fs::path(GPTOSS_SOURCE_DIR) / "tests/golden/models";

std::vector<double> Decode(const MatrixView& m) {
  std::vector<double> all(static_cast<std::size_t>(m.rows * m.cols));
  for (std::int64_t r = 0; r < m.rows; ++r) DecodeRow(m, r, &all[static_cast<std::size_t>(r * m.cols)]);
  return all;
}

TEST(Layouts, TheSameWeightsComeOutOfEveryOne) {
  for (const std::string name : {"T1", "T2"}) {
    const auto openai = OpenCheckpoint(kGolden / name / "openai").value().model;
    const auto mlx = OpenCheckpoint(kGolden / name / "mlx").value().model;
    const auto gguf = OpenCheckpoint(kGolden / name / "gguf-q8_0").value().model;
    EXPECT_EQ(openai->layout, "openai");
    EXPECT_EQ(mlx->layout, "mlx");
    EXPECT_EQ(gguf->layout, "gguf");
    for (std::size_t l = 0; l < openai->layers.size(); ++l) {
      for (std::int64_t e = 0; e < openai->config.experts; ++e) {
        for (const auto matrix : {&LayerWeights::gate, &LayerWeights::up, &LayerWeights::down}) {
          const auto want = Decode((openai->layers[l].*matrix).of(e));
          ASSERT_EQ(Decode((mlx->layers[l].*matrix).of(e)), want);
          ASSERT_EQ(Decode((gguf->layers[l].*matrix).of(e)), want);
        }
      }
      EXPECT_EQ(openai->layers[l].gate_bias, gguf->layers[l].gate_bias);
      EXPECT_EQ(openai->layers[l].up_bias, mlx->layers[l].up_bias);
      const auto want = Decode(openai->layers[l].q), near = Decode(mlx->layers[l].q),
                 other = Decode(gguf->layers[l].q);
      for (std::size_t i = 0; i < want.size(); ++i) {
        ASSERT_NEAR(near[i], want[i], 0.01);  // 8 bits in groups
        ASSERT_NEAR(other[i], want[i], 0.01);
      }
    }
  }
  const auto bf16 = OpenCheckpoint(kGolden / "T1/gguf-bf16").value().model;
  const auto openai = OpenCheckpoint(kGolden / "T1/openai").value().model;
  EXPECT_EQ(Decode(bf16->embedding), Decode(openai->embedding));
  EXPECT_EQ(Decode(bf16->layers[1].o), Decode(openai->layers[1].o));
}

TEST(Config, IsHonouredNotAssumed) {
  const ModelConfig c = OpenCheckpoint(kGolden / "T2/openai").value().model->config;
  EXPECT_EQ(c.layers, 5);
  EXPECT_EQ(c.head_dim, 32);
  EXPECT_EQ(c.window, 16);
  EXPECT_EQ(c.rope.factor, 8);
  EXPECT_EQ(c.rope.original_context, 64);
  EXPECT_FALSE(c.rope.truncate);
  const std::vector<LayerType> want = {LayerType::kSlidingWindow, LayerType::kSlidingWindow, LayerType::kFull,
                                       LayerType::kSlidingWindow, LayerType::kFull};
  EXPECT_EQ(c.layer_types, want);
}

TEST(Config, WrongFieldsGetOneSentence) {
  const Json good = ParseJson(ReadFile(kGolden / "T1/openai/config.json").value()).value();
  const auto message = [&](const char* field, const Json& value) {
    Json changed = good;
    changed[field] = value;
    const auto config = ModelConfigFromJson(changed, "config.json");
    return config ? std::string("accepted") : config.error().message;
  };
  EXPECT_EQ(message("hidden_act", "silu"), "accepted");
  EXPECT_EQ(message("hidden_act", "gelu"),
            "config.json: field hidden_act: expected \"silu\", found \"gelu\"");
  EXPECT_EQ(message("tie_word_embeddings", true),
            "config.json: field tie_word_embeddings: expected false (the output matrix is one of its own), "
            "found true");
  EXPECT_EQ(message("layer_types", nullptr), "accepted");  // the model's own pattern
  EXPECT_EQ(message("model_type", "llama"),
            "config.json: field model_type: expected \"gpt_oss\", found \"llama\"");
  EXPECT_EQ(message("hidden_size", "big"),
            "config.json: field hidden_size: expected an integer, found \"big\"");
  EXPECT_EQ(message("hidden_size", 100),
            "config.json: field hidden_size: expected 32..1048576 in steps of 32, found 100");
  EXPECT_EQ(message("num_hidden_layers", 1LL << 40),
            "config.json: field num_hidden_layers: expected 1..1000, found 1099511627776");
  EXPECT_EQ(message("num_key_value_heads", 3),
            "config.json: 4 attention heads cannot share 3 key-value heads evenly");
  EXPECT_EQ(message("num_experts_per_tok", 9),
            "config.json: num_experts_per_tok is 9, but there are 8 experts");
  EXPECT_EQ(message("layer_types", Json::array({"full_attention"})),
            "config.json: field layer_types: expected an array of 4 names, found [\"full_attention\"]");
  EXPECT_EQ(message("rms_norm_eps", -1),
            "config.json: rms_norm_eps, swiglu_limit and the rope parameters have to be positive numbers");
  EXPECT_EQ(message("vocab_size", 18446744073709551615ULL),
            "config.json: field vocab_size: expected an integer, found 18446744073709551615");
  EXPECT_FALSE(ModelConfigFromJson(Json::array(), "c").has_value());
}

// A safetensors file in memory.
std::string Safetensors(const std::string& header, std::size_t data) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(data, '\1');
}

std::string ReadError(const std::string& bytes) {
  TensorMap tensors;
  const auto file = MappedFile::FromStatic(std::as_bytes(std::span(bytes)), "f");
  const Status status = ReadSafetensors(*file, tensors);
  return status ? "" : status.error().message;
}

TEST(SafetensorsReader, RefusesWhatLies) {
  const auto one = [](const char* entry) {
    return ReadError(Safetensors(fmt::format(R"({{"a":{}}})", entry), 8));
  };
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})"),
            "f: tensor a claims bytes 0..12, but the file has 8 bytes of data: incomplete or damaged");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"),
            "f: tensor a of shape [3] and type F32 has 8 bytes, which does not match");
  EXPECT_EQ(one(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,8]})"),
            "f: tensor a of shape [4294967296, 4294967296] and type U8 has 8 bytes, which does not match");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"),
            "f: tensor a has a dimension that is no size: -2");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"),
            "f: tensor a claims bytes 8..0, but the file has 8 bytes of data: incomplete or damaged");
  EXPECT_EQ(one(R"({"shape":[2],"data_offsets":[0,8]})"),
            "f: tensor a lacks dtype, shape or two data_offsets");
  EXPECT_EQ(one("7"), "f: tensor a lacks dtype, shape or two data_offsets");
  EXPECT_EQ(ReadError(Safetensors(R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
                                  R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                                  8)),
            "f: tensors a and b overlap");
  EXPECT_EQ(ReadError("abc"), "f: too short for a safetensors file");
  EXPECT_EQ(
      ReadError(std::string(8, '\xff') + "{}"),
      "f: the header claims 18446744073709551615 bytes, but 2 follow: not a safetensors file, or incomplete");
  EXPECT_EQ(ReadError(Safetensors("[]", 0)), "f: the header is no JSON object");
  EXPECT_NE(ReadError(Safetensors("{\"a\":", 0)).find("not valid JSON"), std::string::npos);
  EXPECT_NE(ReadError(Safetensors(std::string(5000, '['), 0)).find("nested deeper"), std::string::npos);
}

// A copy of a golden checkpoint that a test may damage.
class Copy {
 public:
  explicit Copy(const char* golden) {
    std::string name = (fs::temp_directory_path() / "gptoss-model-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    fs::copy(kGolden / golden, path_, fs::copy_options::recursive);
    for (const auto& entry : fs::directory_iterator(path_)) fs::permissions(entry, fs::perms::owner_all);
  }
  ~Copy() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  std::string Error() const {
    const auto checkpoint = OpenCheckpoint(path_);
    std::string text = checkpoint ? "" : checkpoint.error().message;
    if (const auto at = text.find(path_.string()); at != std::string::npos)
      text.erase(at, path_.string().size());
    return text;
  }
  void Write(const char* file, std::uint64_t offset, std::string_view bytes) const {
    std::fstream out(path_ / file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(static_cast<std::streamoff>(offset));
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  // Offset of a tensor's data in the file.
  std::uint64_t DataOf(const char* file, const std::string& tensor) const {
    const auto mapped = MappedFile::Open(path_ / file).value();
    TensorMap tensors;
    EXPECT_TRUE(ReadSafetensors(*mapped, tensors).has_value());
    return static_cast<std::uint64_t>(tensors.at(tensor).bytes.data() - mapped->bytes().data());
  }

 private:
  fs::path path_;
};

TEST(Checkpoints, OneBadScaleAmongMillionsOfBlocksIsFound) {
  std::vector<std::byte> blocks(std::size_t{17} * 5'000'001);  // several parts, the last one short
  EXPECT_FALSE(HasNanMxfp4Scale(blocks));
  for (std::size_t i = 1; i < 17; ++i) blocks[i] = blocks[blocks.size() - i] = std::byte{255};
  EXPECT_FALSE(HasNanMxfp4Scale(blocks)) << "values may be anything";
  for (const std::size_t block : {0U, 1U << 20U, 3'333'333U, 5'000'000U}) {
    blocks[block * 17] = std::byte{255};
    EXPECT_TRUE(HasNanMxfp4Scale(blocks)) << block;
    blocks[block * 17] = std::byte{127};
  }
  EXPECT_FALSE(HasNanMxfp4Scale({}));
}

TEST(Checkpoints, DamageGetsOneSentenceWithFileAndTensor) {
  {
    const Copy copy("T1/mlx");
    copy.Write("model.safetensors",
               copy.DataOf("model.safetensors", "model.layers.2.mlp.experts.up_proj.scales") + 5, "\xff");
    EXPECT_EQ(copy.Error(),
              "/model.safetensors: tensor model.layers.2.mlp.experts.up_proj.scales holds a scale that is "
              "NaN: damaged");
  }
  {
    const Copy copy("T1/openai");
    copy.Write("model.safetensors", copy.DataOf("model.safetensors", "model.norm.weight"),
               "\xc0\x7f");  // BF16 NaN
    EXPECT_EQ(copy.Error(),
              "/model.safetensors: tensor model.norm.weight holds a value that is no finite number");
  }
  {
    const Copy copy("T1/openai");
    fs::resize_file(copy.path() / "model.safetensors", fs::file_size(copy.path() / "model.safetensors") - 1);
    EXPECT_NE(copy.Error().find("incomplete or damaged"), std::string::npos);
  }
  {
    const Copy copy("T1/openai");
    fs::remove(copy.path() / "model.safetensors");
    EXPECT_EQ(copy.Error(), "cannot open /model.safetensors: No such file or directory");
  }
  {
    const Copy copy("T1/mlx");
    Json config = ParseJson(ReadFile(copy.path() / "config.json").value()).value();
    config["quantization"]["model.layers.0.self_attn.q_proj"]["bits"] = 4;
    ASSERT_TRUE(WriteFileAtomic(copy.path() / "config.json", DumpJson(config)).has_value());
    EXPECT_EQ(copy.Error(),
              ": module model.layers.0.self_attn.q_proj is quantized as affine with 4 bits in groups of 64; "
              "affine, "
              "8 bits, groups of 64 is supported");
    config["quantization"]["model.layers.0.self_attn.q_proj"]["bits"] = 8;
    config["num_local_experts"] = 16;
    ASSERT_TRUE(WriteFileAtomic(copy.path() / "config.json", DumpJson(config)).has_value());
    EXPECT_NE(copy.Error().find("expected shape"), std::string::npos);
  }
  {
    const Copy copy("T1/mlx");
    ASSERT_TRUE(
        WriteFileAtomic(copy.path() / "model.safetensors.index.json", R"({"weight_map":{"a":"../x"}})")
            .has_value());
    EXPECT_EQ(
        copy.Error(),
        "/model.safetensors.index.json: tensor a is said to be in \"../x\", which is no plain file name");
    ASSERT_TRUE(WriteFileAtomic(copy.path() / "model.safetensors.index.json",
                                R"({"weight_map":{"a":"gone.safetensors"}})")
                    .has_value());
    EXPECT_EQ(copy.Error(), "cannot open /gone.safetensors: No such file or directory");
  }
  EXPECT_EQ(OpenCheckpoint("/nowhere").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(OpenCheckpoint(fs::path(GPTOSS_SOURCE_DIR) / "README.md").error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(OpenCheckpoint(fs::path(GPTOSS_SOURCE_DIR) / "docs").error().code, ErrorCode::kNotFound);
}

TEST(Checkpoints, ShardsAreFoundByTheIndex) {
  const Copy copy("T1/openai");
  // One file under another name, named by an index.
  fs::rename(copy.path() / "model.safetensors", copy.path() / "model-00001-of-00001.safetensors");
  ASSERT_TRUE(WriteFileAtomic(copy.path() / "model.safetensors.index.json",
                              R"({"weight_map":{"lm_head.weight":"model-00001-of-00001.safetensors"}})")
                  .has_value());
  EXPECT_EQ(copy.Error(), "");
  // The same file twice under two names: every tensor is there twice.
  fs::copy(copy.path() / "model-00001-of-00001.safetensors", copy.path() / "b.safetensors");
  ASSERT_TRUE(
      WriteFileAtomic(copy.path() / "model.safetensors.index.json",
                      R"({"weight_map":{"x":"b.safetensors","y":"model-00001-of-00001.safetensors"}})")
          .has_value());
  EXPECT_NE(copy.Error().find("is there twice"), std::string::npos);
}

TEST(GgufReader, EveryTruncationIsRefusedAndNothingIsReadBeyond) {
  const auto whole = MappedFile::Open(kGolden / "T1/gguf-bf16/tiny-bf16.gguf").value();
  const GgufFile gguf = ReadGguf(*whole).value();
  EXPECT_GT(gguf.metadata.size(), 20U);
  std::size_t header = whole->bytes().size();
  for (const auto& [name, tensor] : gguf.tensors) {
    header = std::min(header, static_cast<std::size_t>(tensor.bytes.data() - whole->bytes().data()));
  }
  for (std::size_t length = 0; length < header; length += length < 200 ? 1 : 37) {
    const std::vector<std::byte> cut(whole->bytes().begin(),
                                     whole->bytes().begin() + static_cast<std::ptrdiff_t>(length));
    ASSERT_FALSE(ReadGguf(*MappedFile::FromStatic(cut, "cut")).has_value()) << length;
  }
}

TEST(GgufReader, RandomDamageNeverCrashes) {
  const auto whole = MappedFile::Open(kGolden / "T2/gguf-q8_0/tiny-q8_0.gguf").value();
  std::vector<std::byte> bytes(whole->bytes().begin(), whole->bytes().end());
  std::uint32_t state = 1;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::byte> damaged = bytes;
    for (int i = 0; i < 8; ++i) {
      state = state * 1664525 + 1013904223;
      damaged[(state >> 8) % 16000] = static_cast<std::byte>(state >> 24);
    }
    const auto file = MappedFile::FromStatic(damaged, "damaged");
    if (const auto gguf = ReadGguf(*file)) {
      for (const auto& [name, tensor] : gguf->tensors) {
        ASSERT_GE(tensor.bytes.data(), damaged.data());
        ASSERT_LE(tensor.bytes.data() + tensor.bytes.size(), damaged.data() + damaged.size());
      }
    }
  }
}

TEST(Weights, HalfPrecisionNumbersAreExact) {
  const std::uint16_t halves[] = {0x0000, 0x3C00, 0xC000, 0x0001, 0x03FF, 0x7BFF, 0x8001};
  const double want[] = {0, 1, -2, std::ldexp(1, -24), std::ldexp(1023, -24), 65504, -std::ldexp(1, -24)};
  double got[7];
  DecodeRow({.format = WeightFormat::kF16,
             .rows = 1,
             .cols = 7,
             .data = reinterpret_cast<const std::byte*>(halves)},
            0, got);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(got[i], want[i]);
}

}  // namespace
}  // namespace gptoss
