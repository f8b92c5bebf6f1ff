#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "cli/hub_context.h"
#include "cli/install_progress.h"
#include "cli/testing/captured_output.h"

namespace gptoss::cli {
namespace {

hub::TransferProgress Progress(std::uint64_t done, std::uint64_t total) {
  hub::TransferProgress progress;
  progress.done_bytes = done;
  progress.total_bytes = total;
  progress.state = "downloading";
  return progress;
}

TEST(Human, BytesAndSeconds) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1'000), "1 kB");
  EXPECT_EQ(HumanBytes(999'949), "1000 kB");
  EXPECT_EQ(HumanBytes(1'500'000), "1.5 MB");
  EXPECT_EQ(HumanBytes(84'000'000), "84 MB");
  EXPECT_EQ(HumanBytes(12'104'215'835), "12.1 GB");
  EXPECT_EQ(HumanSeconds(0), "0 s");
  EXPECT_EQ(HumanSeconds(59), "59 s");
  EXPECT_EQ(HumanSeconds(82), "1 min 22 s");
  EXPECT_EQ(HumanSeconds(120), "2 min");
  EXPECT_EQ(HumanSeconds(601), "11 min");
  EXPECT_EQ(HumanSeconds(3 * 3600 + 60), "3 h 1 min");
  EXPECT_EQ(HumanSeconds(1e18), "11574 d 1 h");
}

TEST(ProgressLine, SaysMostImportantFirstAndFitsTheTerminal) {
  hub::TransferProgress progress = Progress(5'200'000'000, 12'100'000'000);
  progress.bytes_per_second = 84e6;
  progress.eta_seconds = 82;
  progress.file = "sub/model-00001.safetensors";
  ProgressState state;
  state.Update(progress, 0);
  EXPECT_EQ(ProgressLine(state, 120),
            " 42 %  5.2 of 12.1 GB  84 MB/s  1 min 22 s left  model-00001.safetensors");
  EXPECT_EQ(ProgressLine(state, 70), " 42 %  5.2 of 12.1 GB  84 MB/s  1 min 22 s left  model-00001.…tensors");
  EXPECT_EQ(ProgressLine(state, 60), " 42 %  5.2 of 12.1 GB  84 MB/s  1 min 22 s left  mod…-00001");
  EXPECT_EQ(ProgressLine(state, 57), " 42 %  5.2 of 12.1 GB  84 MB/s  1 min 22 s left");
  EXPECT_EQ(ProgressLine(state, 24), " 42 %  5.2 of 12.1 GB");
  EXPECT_EQ(ProgressLine(state, 10), " 42 %");
  EXPECT_EQ(ProgressLine(state, 1), "");
}

TEST(ProgressLine, TellsWhatIsWaitedFor) {
  hub::TransferProgress progress = Progress(10, 100);
  progress.state = "waiting";
  progress.notice = "rate limit of 127.0.0.1, 12 s";
  ProgressState state;
  state.Update(progress, 0);
  EXPECT_EQ(ProgressLine(state, 120), " 10 %  10 of 100 B  waiting: rate limit of 127.0.0.1, 12 s");
  progress.state = "paused";
  progress.notice = "";
  state.Update(progress, 1);
  EXPECT_EQ(ProgressLine(state, 120), " 10 %  10 of 100 B  paused");
}

TEST(ProgressLine, SeveralFilesHaveLinesOfTheirOwn) {
  hub::TransferProgress progress = Progress(6'000'000, 10'000'000);
  progress.resumed_bytes = 1'500'000;
  progress.in_flight = {{"sub/a.bin", 4'000'000, 4'000'000, 0}, {"b\x1b[2J.bin", 6'000'000, 2'000'000, 3}};
  ProgressState state;
  state.Update(progress, 0);
  EXPECT_EQ(FileLines(state, 120, 6),
            (std::vector<std::string>{"  100 %  4.0 of 4.0 MB      a.bin  verifying",
                                      "   33 %  2.0 of 6.0 MB      b[2J.bin"}));
  EXPECT_EQ(FileLines(state, 120, 1).size(), 1U);
  EXPECT_TRUE(FileLines(state, 120, 0).empty());
  EXPECT_EQ(ProgressLine(state, 120), " 60 %  6.0 of 10.0 MB  1.5 MB from before  2 files");
  EXPECT_EQ(ProgressEvent(state)["in_flight"][1]["done_bytes"], 2'000'000);
  progress.state = "paused";
  state.Update(progress, 1);
  EXPECT_TRUE(FileLines(state, 120, 6).empty());
  progress.in_flight.resize(1);
  progress.state = "downloading";
  state.Update(progress, 2);
  EXPECT_TRUE(FileLines(state, 120, 6).empty());  // the line for all names it
}

TEST(ProgressLine, ANarrowTerminalShowsWhichFilesThatAre) {
  hub::TransferProgress progress = Progress(6'000'000, 10'000'000);
  progress.in_flight = {{"model-00001-of-00002.safetensors", 4'000'000, 4'000'000, 0},
                        {"d/größer-als-das.bin", 6'000'000, 2'000'000, 3}};
  ProgressState state;
  state.Update(progress, 0);
  EXPECT_EQ(
      FileLines(state, 80, 6),
      (std::vector<std::string>{"  100 %  4.0 of 4.0 MB      model-00001-of-00002.safetensors  verifying",
                                "   33 %  2.0 of 6.0 MB      größer-als-das.bin"}));
  EXPECT_EQ(FileLines(state, 40, 6), (std::vector<std::string>{"  100 %  model-00001-of-0000…afetensors",
                                                               "   33 %  größer-als-das.bin"}));
  EXPECT_EQ(FileLines(state, 24, 6),
            (std::vector<std::string>{"  100 %  model-00001…rs", "   33 %  größer-a…s.bin"}));
  EXPECT_EQ(FileLines(state, 12, 6), (std::vector<std::string>{"  100 %", "   33 %"}));
}

TEST(ProgressDisplay, LinesAreTakenBackBeforeTheyAreDrawnAnew) {
  hub::PauseControl pause;
  CapturedOutput out, err;
  hub::TransferProgress progress = Progress(6, 10);
  progress.in_flight = {{"a.bin", 4, 2, 1}, {"b.bin", 6, 2, 1}};
  {
    ProgressDisplay display(ProgressStyle::kLine, out, err, pause);
    display.Observe(progress);
    for (int i = 0; i < 1000 && err.text().find("b.bin") == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(err.text().ends_with("2 files\r\x1b[2A\x1b[J")) << err.text();
}

TEST(ProgressLine, AFileNameCannotMoveTheCursor) {
  hub::TransferProgress progress = Progress(1, 2);
  progress.file = "a\x1b[2Jb\xff.bin";
  ProgressState state;
  state.Update(progress, 0);
  EXPECT_EQ(ProgressLine(state, 120), " 50 %  1 of 2 B  a[2Jb\xef\xbf\xbd.bin");
}

TEST(ProgressState, NeverGoesBackwardsAndHundredMeansDone) {
  ProgressState state;
  state.Update(Progress(600, 1000), 0);
  state.Update(Progress(400, 1000), 1);  // a part that has to be fetched again
  EXPECT_EQ(state.latest().done_bytes, 600U);
  EXPECT_EQ(state.percent(), 60);
  state.Update(Progress(999'999, 1'000'000), 2);
  EXPECT_EQ(state.percent(), 99);
  state.Update(Progress(2'000'000, 1'000'000), 3);
  EXPECT_EQ(state.percent(), 100);
  ProgressState empty;
  empty.Update(Progress(0, 0), 0);
  EXPECT_EQ(empty.percent(), 0);
}

TEST(ProgressState, TheTimeLeftDoesNotJump) {
  ProgressState state;
  hub::TransferProgress progress = Progress(1, 100);
  progress.eta_seconds = 100;
  state.Update(progress, 0);
  EXPECT_DOUBLE_EQ(state.eta_seconds(), 100);
  progress.eta_seconds = 1000;  // a hiccup of a tenth of a second
  state.Update(progress, 0.1);
  EXPECT_LT(state.eta_seconds(), 140);
  EXPECT_GT(state.eta_seconds(), 99);
  for (int i = 2; i < 300; ++i) state.Update(progress, i * 0.1);
  EXPECT_NEAR(state.eta_seconds(), 1000, 5);  // and it comes to believe it
  progress.eta_seconds = -1;
  state.Update(progress, 31);
  EXPECT_EQ(state.eta_seconds(), -1);
}

TEST(ProgressEvent, HasWhatProgramsNeed) {
  hub::TransferProgress progress = Progress(1, 2);
  progress.file = "a";
  ProgressState state;
  state.Update(progress, 0);
  const Json event = ProgressEvent(state);
  EXPECT_EQ(event["type"], "progress");
  EXPECT_EQ(event["done_bytes"], 1);
  EXPECT_EQ(event["total_bytes"], 2);
  EXPECT_TRUE(event["eta_seconds"].is_null());
  EXPECT_EQ(event["file"], "a");
  EXPECT_FALSE(event.contains("notice"));
}

TEST(ProgressDisplay, EachStyleWritesWhereItShould) {
  hub::PauseControl pause;
  for (const ProgressStyle style :
       {ProgressStyle::kLine, ProgressStyle::kPlain, ProgressStyle::kJson, ProgressStyle::kQuiet}) {
    CapturedOutput out, err;
    {
      ProgressDisplay display(style, out, err, pause);
      display.Observe(Progress(1, 2));
      for (int i = 0; i < 200 && style != ProgressStyle::kQuiet && out.text().empty() && err.text().empty();
           ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      display.Observe(Progress(2, 2));
    }
    if (style == ProgressStyle::kLine) {
      EXPECT_NE(err.text().find(" 50 %"), std::string::npos);
      EXPECT_TRUE(err.text().ends_with("\r\x1b[2K"));  // the line is gone at the end
    } else if (style == ProgressStyle::kPlain) {
      EXPECT_NE(err.text().find("gptoss:  50 %"), std::string::npos);
    } else if (style == ProgressStyle::kJson) {
      EXPECT_NE(out.text().find("\"done_bytes\":2"), std::string::npos);
      EXPECT_TRUE(err.text().empty());
    } else {
      EXPECT_TRUE(out.text().empty());
      EXPECT_TRUE(err.text().empty());
    }
  }
}

TEST(ProgressDisplay, SomeoneWhoWaitsIsToldAtOnceAndOnlyOnce) {
  hub::PauseControl pause;
  CapturedOutput out, err;
  {
    ProgressDisplay display(ProgressStyle::kPlain, out, err, pause);
    hub::TransferProgress progress = Progress(1, 2);
    for (int i = 0; i < 3; ++i) {
      display.Observe(progress);
      std::this_thread::sleep_for(std::chrono::milliseconds(250));
      progress.state = "waiting for another process";
    }
  }
  const std::string text = err.text();
  const std::size_t first = text.find("waiting for another process");
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find("waiting for another process", first + 1), std::string::npos) << text;
}

TEST(ShellQuoted, IsWhatAShellReadsBack) {
  EXPECT_EQ(ShellQuoted("gpt-oss-20b:openai"), "gpt-oss-20b:openai");
  EXPECT_EQ(ShellQuoted("org/name@main"), "org/name@main");
  EXPECT_EQ(ShellQuoted("*.json"), "'*.json'");
  EXPECT_EQ(ShellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuoted(""), "''");
}

}  // namespace
}  // namespace gptoss::cli
