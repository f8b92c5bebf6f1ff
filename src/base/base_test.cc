#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/cancel.h"
#include "base/channel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"

namespace gptoss {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "gptoss-base-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

Result<int> Half(int x) {
  if (x % 2 != 0) return Fail(ErrorCode::kInvalidArgument, "odd");
  return x / 2;
}
Result<int> Quarter(int x) {
  GPTOSS_TRY(const int half, Half(x));
  return Half(half);
}

TEST(Error, TryPassesValuesAndErrorsOn) {
  EXPECT_EQ(Quarter(8).value(), 2);
  ASSERT_FALSE(Quarter(6).has_value());
  EXPECT_EQ(Quarter(6).error().message, "odd");
  EXPECT_EQ(Error({ErrorCode::kNotFound, "no"}).Within("here").message, "here: no");
}

TEST(Error, ExitCodesAreTheDocumentedOnes) {
  EXPECT_EQ(ExitCode(ErrorCode::kInvalidArgument), 2);
  EXPECT_EQ(ExitCode(ErrorCode::kCancelled), 130);
  EXPECT_EQ(ExitCode(ErrorCode::kDataLoss), 1);
  EXPECT_EQ(ErrorCodeName(ErrorCode::kOutOfRange), "out_of_range");
}

TEST(Cancel, CopiesShareAndDefaultNever) {
  const CancelSource source;
  const CancelToken token = source.token();
  EXPECT_FALSE(token.cancelled());
  source.Cancel();
  EXPECT_TRUE(token.cancelled());
  EXPECT_FALSE(CancelToken().cancelled());
}

TEST(Channel, KeepsOrderAcrossThreadsThroughASmallWindow) {
  BoundedChannel<int> channel(2);
  std::jthread producer([&] {
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(channel.Push(i));
    channel.Close();
  });
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(channel.Pop(), i);
  EXPECT_EQ(channel.Pop(), std::nullopt);
}

TEST(Channel, FullMakesTheProducerWaitAndCloseWakesIt) {
  BoundedChannel<int> channel(1);
  EXPECT_TRUE(channel.TryPush(1));
  EXPECT_FALSE(channel.TryPush(2));
  EXPECT_EQ(channel.PushFor(3, std::chrono::milliseconds(1)), 3);
  std::jthread producer([&] { EXPECT_FALSE(channel.Push(4)); });
  while (!channel.full()) std::this_thread::yield();
  channel.Close();
  producer.join();
  EXPECT_EQ(channel.Pop(), 1);  // what was accepted is still delivered
  EXPECT_EQ(channel.Pop(), std::nullopt);
  EXPECT_FALSE(channel.TryPush(5));
}

TEST(File, AtomicWriteReplacesAndLeavesNothingElse) {
  const Folder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "a", "one"));
  ASSERT_TRUE(WriteFileAtomic(folder / "a", "two"));
  EXPECT_EQ(ReadFile(folder / "a").value(), "two");
  EXPECT_EQ(folder.entries(), 1U);
  EXPECT_FALSE(WriteFileAtomic(folder / "missing/a", "x").has_value());
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(File, RefusesWhatIsNoRegularFile) {
  const Folder folder;
  EXPECT_EQ(ReadFile(folder / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadFile(fs::temp_directory_path()).error().code, ErrorCode::kInvalidArgument);
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(folder / "fifo").error().code, ErrorCode::kInvalidArgument);  // and does not hang
  ASSERT_TRUE(WriteFileAtomic(folder / "big", "12345"));
  EXPECT_EQ(ReadFile(folder / "big", 4).error().code, ErrorCode::kOutOfRange);
}

TEST(File, MapsContentEmptyFilesAndStaticBytes) {
  const Folder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "a", "mapped"));
  ASSERT_TRUE(WriteFileAtomic(folder / "empty", ""));
  EXPECT_EQ(MappedFile::Open(folder / "a").value()->text(), "mapped");
  EXPECT_EQ(MappedFile::Open(folder / "empty").value()->bytes().size(), 0U);
  const std::string own = "own";
  const auto view = MappedFile::FromStatic(std::as_bytes(std::span(own)), "image");
  EXPECT_EQ(view->text(), "own");
  EXPECT_EQ(view->name(), "image");
}

TEST(Utf8, ReplacesMaximalSubparts) {
  // Unicode 16, table 3-8 and its neighbours: C0 80 ED A0 80 holds five bad bytes.
  EXPECT_EQ(ReplaceInvalidUtf8("a\xC0\x80\xED\xA0\x80z"),
            "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(ReplaceInvalidUtf8("\xF0\x9F\x98"), "\xEF\xBF\xBD");
  EXPECT_EQ(ReplaceInvalidUtf8("\xF0\x9F"
                               "A"),
            "\xEF\xBF\xBD"
            "A");
  EXPECT_EQ(ReplaceInvalidUtf8("\xF4\x90\x80\x80").size(), 12U);
  EXPECT_TRUE(IsValidUtf8("gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80"));
}

TEST(Utf8, EveryScalarSurvivesTheRoundTrip) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string bytes;
    AppendUtf8(c, bytes);
    const Utf8Step step = NextUtf8(bytes);
    ASSERT_EQ(step.kind, Utf8Step::Kind::kValid);
    ASSERT_EQ(step.code_point, c);
    ASSERT_EQ(step.length, bytes.size());
  }
}

TEST(Json, ErrorsAreSentencesAndDepthIsBounded) {
  EXPECT_EQ(DumpJson(ParseJson(R"({"b":1.0,"a":[null]})").value()), R"({"b":1.0,"a":[null]})");
  EXPECT_FALSE(ParseJson("{\"a\":").has_value());
  EXPECT_NE(ParseJson("{\"a\":").error().message.find("not valid JSON"), std::string::npos);
  EXPECT_FALSE(ParseJson(std::string(100000, '[')).has_value());
  EXPECT_TRUE(ParseJson("\"" + std::string(100000, '[') + "\"").has_value());
  EXPECT_EQ(DumpJson(Json("\xFF")), "\"\xEF\xBF\xBD\"");
}

TEST(Text, BlanksAreThoseAsked) {
  EXPECT_TRUE(IsBlank(""));
  EXPECT_TRUE(IsBlank(" \t\r\n\v\f"));
  EXPECT_FALSE(IsBlank(" x "));
  EXPECT_FALSE(IsBlank("\n", kLineBlanks));
  EXPECT_EQ(Trimmed(" \n a b\r\n"), "a b");
  EXPECT_EQ(Trimmed(" a\n ", kLineBlanks), "a\n");
  EXPECT_EQ(Trimmed(" \t"), "");
}

TEST(Text, AnExcerptIsFitForATerminal) {
  EXPECT_EQ(Excerpt("a\x1b[31m\nb\x7f"), "a [31m b ");
  EXPECT_EQ(Excerpt("abcdef", 3), "abc…");
  EXPECT_EQ(Excerpt("abc", 3), "abc");
  EXPECT_EQ(Excerpt("aé", 2), "a…");  // not within a character
  EXPECT_EQ(Excerpt("a\U0001F600b", 4), "a…");
  EXPECT_EQ(Excerpt("\x80\x80\x80\x80\x80\x80", 3).size(), 3U * 3 + 3);  // what is none has no boundary
}

TEST(Json, WhatTakesLongerThanItsSizeSaysIsRefused) {
  const auto object = [](int keys) {
    std::string text = "{\"first\": {}";
    for (int i = 1; i < keys; ++i) text += ",\"k" + std::to_string(i) + "\":[{\"a\":\":\"}]";
    return text + "}";
  };
  EXPECT_EQ(ParseJson(object(20'000))->size(), 20'000u);
  EXPECT_EQ(ParseJson(object(20'001)).error().message, "a JSON object of more than 20000 keys");
}

TEST(Json, ANulByteIsNoEnd) {
  using std::string_literals::operator""s;
  EXPECT_FALSE(ParseJson("[1]\0[2]"s));
  EXPECT_FALSE(ParseJson("[1]\0"s));
  EXPECT_FALSE(ParseJson("\"a\0b\""s));
}

}  // namespace
}  // namespace gptoss
