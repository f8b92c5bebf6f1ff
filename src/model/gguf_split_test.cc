// Checkpoints in parts: cut here from a golden file, as gguf-split cuts them.
#include "model/gguf_split.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/file.h"
#include "model/checkpoint.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;
const fs::path kWhole = fs::path(GPTOSS_SOURCE_DIR) / "tests/golden/models/T1/gguf-q8_0/tiny-q8_0.gguf";

std::uint32_t TypeId(TensorType type) {
  switch (type) {
    case TensorType::kF16:
      return 1;
    case TensorType::kQ8_0:
      return 8;
    case TensorType::kBF16:
      return 30;
    case TensorType::kMxfp4:
      return 39;
    default:
      return 0;
  }
}

// Writes GGUF with numbers as wide as the reader holds them.
class Writer {
 public:
  template <typename T>
  void Number(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void String(std::string_view text) {
    Number(std::uint64_t{text.size()});
    text_ += text;
  }
  void Value(const std::string& key, const GgufValue& value) {
    String(key);
    std::visit([this](const auto& held) { Typed(held); }, value.value);
  }
  std::string& text() { return text_; }

 private:
  template <typename T>
  void Typed(const T& value) {
    if constexpr (std::is_same_v<T, std::int64_t>) {
      Number(std::uint32_t{11});
      Number(value);
    } else if constexpr (std::is_same_v<T, double>) {
      Number(std::uint32_t{12});
      Number(value);
    } else if constexpr (std::is_same_v<T, bool>) {
      Number(std::uint32_t{7});
      Number(std::uint8_t{value});
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      Number(std::uint32_t{8});
      String(value);
    } else {
      constexpr bool kText = std::is_same_v<T, std::vector<std::string_view>>;
      Number(std::uint32_t{9});
      Number(kText                                    ? std::uint32_t{8}
             : std::is_same_v<T, std::vector<double>> ? std::uint32_t{12}
                                                      : std::uint32_t{11});
      Number(std::uint64_t{value.size()});
      for (const auto& item : value) {
        if constexpr (kText) {
          String(item);
        } else {
          Number(item);
        }
      }
    }
  }
  std::string text_;
};

using Metadata = std::map<std::string, GgufValue, std::less<>>;

std::string Pack(const Metadata& metadata, const std::vector<const Tensor*>& tensors) {
  Writer head;
  head.text() = "GGUF";
  head.Number(std::uint32_t{3});
  head.Number(std::uint64_t{tensors.size()});
  head.Number(std::uint64_t{metadata.size()});
  for (const auto& [key, value] : metadata) head.Value(key, value);
  std::string data;
  for (const Tensor* tensor : tensors) {
    head.String(tensor->name);
    head.Number(static_cast<std::uint32_t>(tensor->shape.size()));
    for (auto it = tensor->shape.rbegin(); it != tensor->shape.rend(); ++it) head.Number(*it);
    head.Number(TypeId(tensor->type));
    head.Number(std::uint64_t{data.size()});
    data.append(reinterpret_cast<const char*>(tensor->bytes.data()), tensor->bytes.size());
    data.resize((data.size() + 31) / 32 * 32);
  }
  head.text().resize((head.text().size() + 31) / 32 * 32);
  return head.text() + data;
}

class SplitTest : public testing::Test {
 protected:
  SplitTest() {
    folder_ = fs::temp_directory_path() / fmt::format("gptoss-split-{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    whole_ = MappedFile::Open(kWhole).value();
    gguf_ = ReadGguf(*whole_).value();
  }
  ~SplitTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  fs::path Part(int number, int count = 3) const {
    return folder_ / fmt::format("tiny-{:05}-of-{:05}.gguf", number, count);
  }
  // Part `number` of three as it should be, with metadata of its own in place of that.
  std::string Content(int number, const Metadata& other = {}) const {
    Metadata metadata = number == 1 ? gguf_.metadata : Metadata{};
    metadata["split.no"] = {std::int64_t{number - 1}};
    metadata["split.count"] = {std::int64_t{3}};
    metadata["split.tensors.count"] = {static_cast<std::int64_t>(gguf_.tensors.size())};
    for (const auto& [key, value] : other) metadata[key] = value;
    std::vector<const Tensor*> tensors;
    std::size_t index = 0;
    for (const auto& [name, tensor] : gguf_.tensors)
      if (index++ * 3 / gguf_.tensors.size() == static_cast<std::size_t>(number - 1))
        tensors.push_back(&tensor);
    return Pack(metadata, tensors);
  }
  void WriteParts() const {
    for (int number = 1; number <= 3; ++number) ASSERT_TRUE(WriteFileAtomic(Part(number), Content(number)));
  }
  static std::string Error(const fs::path& path, ErrorCode code) {
    const auto checkpoint = OpenCheckpoint(path);
    if (checkpoint) return "it opened";
    EXPECT_EQ(checkpoint.error().code, code) << checkpoint.error().message;
    return checkpoint.error().message;
  }

  fs::path folder_;
  std::shared_ptr<const MappedFile> whole_;
  GgufFile gguf_;
};

TEST_F(SplitTest, AnyPartAndTheFolderOpenTheWholeModel) {
  WriteParts();
  const auto want = OpenCheckpoint(kWhole).value();
  for (const fs::path& path : {Part(1), Part(2), Part(3), folder_}) {
    const auto got = OpenCheckpoint(path);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->model->files.size(), 3U);
    EXPECT_EQ(got->model->config.layers, want.model->config.layers);
    EXPECT_EQ(got->model->weight_bytes, want.model->weight_bytes);
    ASSERT_EQ(got->tokenizer.has_value(), want.tokenizer.has_value());
    for (std::size_t i = 0; i < want.model->layers.size(); ++i) {
      const MatrixView &a = got->model->layers[i].o, &b = want.model->layers[i].o;
      ASSERT_EQ(std::memcmp(a.data, b.data, static_cast<std::size_t>(a.rows * a.row_stride)), 0);
    }
  }
}

TEST_F(SplitTest, AMissingPartIsNamed) {
  WriteParts();
  fs::remove(Part(2));
  for (const fs::path& path : {Part(1), Part(3), folder_}) {
    const std::string error = Error(path, ErrorCode::kNotFound);
    EXPECT_NE(error.find("tiny-00002-of-00003.gguf is missing: it is part 2 of the 3"), std::string::npos)
        << error;
  }
}

TEST_F(SplitTest, APartUnderAnotherNameIsRefused) {
  WriteParts();
  fs::rename(Part(1), folder_ / "first.gguf");
  EXPECT_NE(Error(folder_ / "first.gguf", ErrorCode::kDataLoss).find("-00001-of-00003.gguf"),
            std::string::npos);
  fs::copy_file(Part(3), Part(1));
  EXPECT_NE(Error(Part(2), ErrorCode::kDataLoss).find("says that it is part 3 of 3"), std::string::npos);
}

TEST_F(SplitTest, TensorsThatAreMissingOrThereTwiceAreSeen) {
  WriteParts();
  ASSERT_TRUE(WriteFileAtomic(Part(1), Content(1, {{"split.tensors.count", {std::int64_t{1000}}}})));
  EXPECT_NE(Error(Part(1), ErrorCode::kDataLoss).find("1000 belong to the model"), std::string::npos);
  std::string second = Content(3, {{"split.no", {std::int64_t{1}}}});
  ASSERT_TRUE(WriteFileAtomic(Part(2), second));
  EXPECT_NE(Error(Part(1), ErrorCode::kDataLoss).find("is in another part as well"), std::string::npos);
  ASSERT_TRUE(WriteFileAtomic(Part(1), Content(1, {{"split.count", {std::string_view("three")}}})));
  EXPECT_NE(Error(Part(1), ErrorCode::kDataLoss).find("split.count: expected a number"), std::string::npos);
}

TEST_F(SplitTest, AFolderOfTwoModelsIsAskedAbout) {
  WriteParts();
  fs::copy_file(kWhole, folder_ / "other.gguf");
  EXPECT_NE(Error(folder_, ErrorCode::kInvalidArgument).find("4 .gguf files"), std::string::npos);
}

TEST(SplitName, IsFiveDigitsOfFiveBeforeTheEnd) {
  EXPECT_EQ(ParseSplitName("m-00002-of-00003.gguf"), (SplitName{"m", 2, 3}));
  EXPECT_EQ(SplitFileName({"m", 2, 3}), "m-00002-of-00003.gguf");
  for (const char* other :
       {"m.gguf", "-00001-of-00003.gguf", "m-00004-of-00003.gguf", "m-00000-of-00003.gguf",
        "m-0001-of-00003.gguf", "m-00001-of-00003", "m-0000a-of-00003.gguf", ""}) {
    EXPECT_FALSE(ParseSplitName(other)) << other;
  }
}

}  // namespace
}  // namespace gptoss
