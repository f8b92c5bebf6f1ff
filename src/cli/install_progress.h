// How an install (or a check of all hashes) looks while it runs: lines that change on a terminal, a line
// every few seconds elsewhere, JSON lines for programs.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"
#include "cli/suspend.h"
#include "cli/terminal.h"
#include "hub/transfer.h"

namespace gptoss::cli {

// "12.1 GB", "37 MB", "812 kB", "96 B": powers of 1000, as disks and providers count.
std::string HumanBytes(std::uint64_t bytes);
// "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
std::string HumanSeconds(double seconds);

// What has been shown so far, so that no number goes backwards and the time left does not jump.
class ProgressState {
 public:
  // `seconds`: a steady clock, for the smoothing.
  void Update(const hub::TransferProgress& progress, double seconds);
  const hub::TransferProgress& latest() const { return latest_; }
  double eta_seconds() const { return eta_; }  // -1: not known
  int percent() const;                         // 100 only when everything is done

 private:
  hub::TransferProgress latest_;
  double eta_ = -1, eta_at_ = 0;
};

// " 43 %  5.2 of 12.1 GB  84 MB/s  1 min 22 s left  model-00001.safetensors": what fits into `columns`, the
// most important first. What is being waited for goes before speed and time.
std::string ProgressLine(const ProgressState& state, int columns);
// One line for each file on its way where there are several, at most `lines`: "  43 %  2.1 of 4.8 GB  name".
std::vector<std::string> FileLines(const ProgressState& state, int columns, int lines);
// {"type":"progress", "state", "total_bytes", "done_bytes", …}; docs/install.md lists them.
Json ProgressEvent(const ProgressState& state);

enum class ProgressStyle : std::uint8_t { kLine, kPlain, kJson, kQuiet };

// Shows what its observer is told, from a thread of its own: on kLine ten times a second on `err` (a line for
// all, above it one for each of several files on their way), on kPlain every few seconds on `err`, on kJson
// on `out`. SIGTSTP pauses the work: what runs gets to a durable point and closes its connections, the line
// is ended, and only then the process stops; `fg` goes on, also before that. Finish() (or the end of its
// life) joins the thread and erases the line.
class ProgressDisplay {
 public:
  ProgressDisplay(ProgressStyle style, Output& out, Output& err, hub::PauseControl& pause);
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  // Any thread.
  void Observe(const hub::TransferProgress& progress);
  hub::ProgressObserver observer();
  void Finish();
  std::uint64_t done_bytes() const;
  // Some display has its line on the terminal now: what it says need not be said beside it.
  static bool LineShown();

 private:
  void Run();
  std::string Due(bool last);
  std::string DueBlock(bool last);
  std::string Erased();
  void Show(std::unique_lock<std::mutex>& lock, bool last);
  double Seconds() const;

  const ProgressStyle style_;
  Output& out_;
  Output& err_;
  hub::PauseControl& pause_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  SuspendHandler suspend_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  ProgressState state_;
  bool any_ = false, finished_ = false;
  std::vector<std::size_t> open_lines_;  // widths of the lines that stand on the terminal now
  double shown_at_ = -1e9;
  std::string shown_text_;
  std::thread thread_;
};

// Of the terminal on stderr; 80 columns and 24 rows where it does not say.
struct TerminalSize {
  int columns = 80, rows = 24;
};
TerminalSize SizeOfTerminal();

}  // namespace gptoss::cli
