#include "cli/install_progress.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace gptoss::cli {
namespace {

constexpr double kPlainSeconds = 5;  // between lines where there is no terminal
constexpr int kPlainColumns = 200;
constexpr double kJsonSeconds = 0.5;
constexpr double kPauseSeconds = 3;  // a pause that takes longer does not hold up Ctrl-Z
constexpr auto kTick = std::chrono::milliseconds(100);
constexpr int kMostFileLines = 6;

// "5.2 of 12.1 GB": the unit of the whole for both.
std::string OfTotal(std::uint64_t done, std::uint64_t total) {
  double unit = 1;
  const char* name = "B";
  if (total >= 1'000'000'000) {
    unit = 1e9, name = "GB";
  } else if (total >= 1'000'000) {
    unit = 1e6, name = "MB";
  } else if (total >= 1'000) {
    unit = 1e3, name = "kB";
  }
  const int digits = unit == 1 ? 0 : 1;
  return fmt::format("{:.{}f} of {:.{}f} {}", static_cast<double>(done) / unit, digits,
                     static_cast<double>(total) / unit, digits, name);
}

// Columns, taking each character as one: names and our own words have no wide ones.
std::size_t Width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    text.remove_prefix(NextUtf8(text).length);
    ++width;
  }
  return width;
}

std::string_view FileName(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

constexpr int kWideColumns = 60;
constexpr std::size_t kLeastName = 8;  // columns; less of a name says nothing

// The first `columns` characters of a text, and the last.
std::string_view Front(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  for (; columns > 0 && bytes < text.size(); --columns) bytes += NextUtf8(text.substr(bytes)).length;
  return text.substr(0, bytes);
}
std::string_view Back(std::string_view text, std::size_t columns) {
  const std::size_t width = Width(text);
  return text.substr(Front(text, width - std::min(width, columns)).size());
}

// A name in that many columns, its middle left out. What tells the parts of a model apart stays: their
// number.
std::string ShortName(std::string_view name, std::size_t columns) {
  if (Width(name) <= columns) return std::string(name);
  const std::size_t digits = std::min(name.find_first_of("0123456789"), name.size());
  const std::size_t after = std::min(name.find_first_not_of("0123456789", digits), name.size());
  const std::size_t number = digits < name.size() ? Width(name.substr(0, after)) : 0;
  const std::size_t room = columns - 1;
  if (number > room) {
    const std::size_t back = std::min(room, Width(name.substr(digits, after - digits)) + 1);
    return fmt::format("{}…{}", Front(name, room - back), Back(name.substr(0, after), back));
  }
  const std::size_t front = std::max(number, room * 2 / 3);
  return fmt::format("{}…{}", Front(name, front), Back(name, room - front));
}

// What a line says, most important first; of a name, as much as there is room for.
struct Part {
  std::string text;
  bool is_name = false;
};

// As many of the parts as there is room for, in the order given.
std::string WhatFits(const std::vector<Part>& parts, int columns) {
  std::string line;
  const auto limit = static_cast<std::size_t>(std::max(columns - 1, 1));  // the last column may wrap
  for (const Part& part : parts) {
    std::string clean = WithoutControls(ReplaceInvalidUtf8(part.text));
    const std::size_t used = Width(line) + (line.empty() ? 0 : 2);
    const std::size_t room = limit - std::min(limit, used);
    if (part.is_name && room >= kLeastName) clean = ShortName(clean, room);
    if (Width(clean) > room) break;
    line += (line.empty() ? "" : "  ") + clean;
  }
  return line;
}

// 100 only when everything is done.
int Percent(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return 0;
  return static_cast<int>(std::floor(static_cast<double>(done) / static_cast<double>(total) * 100 + 1e-9));
}

std::atomic<int> lines_shown{0};

bool IsRunning(const std::string& state) { return state != "paused" && !state.starts_with("waiting"); }

}  // namespace

std::string HumanBytes(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 999'950'000) return fmt::format("{:.1f} GB", value / 1e9);
  if (bytes >= 9'950'000) return fmt::format("{:.0f} MB", value / 1e6);
  if (bytes >= 999'950) return fmt::format("{:.1f} MB", value / 1e6);
  if (bytes >= 1'000) return fmt::format("{:.0f} kB", value / 1e3);
  return fmt::format("{} B", bytes);
}

std::string HumanSeconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) {
    // Ten seconds are exact enough where minutes are left.
    const std::int64_t rounded = whole < 600 ? whole : (whole + 59) / 60 * 60;
    return rounded % 60 == 0 ? fmt::format("{} min", rounded / 60)
                             : fmt::format("{} min {} s", rounded / 60, rounded % 60);
  }
  if (whole < 86'400) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86'400, whole % 86'400 / 3600);
}

void ProgressState::Update(const hub::TransferProgress& progress, double seconds) {
  const std::uint64_t done =
      std::max(latest_.done_bytes, std::min(progress.done_bytes, progress.total_bytes));
  const int files = std::max(latest_.files_done, progress.files_done);
  latest_ = progress;
  latest_.done_bytes = done;
  latest_.files_done = files;
  if (progress.eta_seconds < 0) {
    eta_ = -1;
  } else if (eta_ < 0) {
    eta_ = progress.eta_seconds;
  } else {
    // What was said, less the time that went by, moved towards what is said now.
    const double passed = std::max(0.0, seconds - eta_at_);
    const double weight = 1 - std::exp(-passed / 3.0);
    eta_ = std::max(0.0, eta_ - passed) * (1 - weight) + progress.eta_seconds * weight;
  }
  eta_at_ = seconds;
}

int ProgressState::percent() const { return Percent(latest_.done_bytes, latest_.total_bytes); }

std::string ProgressLine(const ProgressState& state, int columns) {
  const hub::TransferProgress& now = state.latest();
  std::vector<Part> parts = {{fmt::format("{:3} %", state.percent())},
                             {OfTotal(now.done_bytes, now.total_bytes)}};
  if (!IsRunning(now.state)) {
    parts.emplace_back(now.notice.empty() ? now.state : fmt::format("{}: {}", now.state, now.notice));
  } else {
    if (now.state != "downloading" && !now.state.empty()) parts.emplace_back(now.state);
    if (now.bytes_per_second >= 1)
      parts.emplace_back(HumanBytes(static_cast<std::uint64_t>(now.bytes_per_second)) + "/s");
    if (state.eta_seconds() >= 0 && now.done_bytes < now.total_bytes)
      parts.emplace_back(HumanSeconds(state.eta_seconds()) + " left");
    if (!now.notice.empty()) parts.emplace_back(now.notice);
  }
  if (now.resumed_bytes > 0 && IsRunning(now.state))
    parts.emplace_back(HumanBytes(now.resumed_bytes) + " from before");
  if (now.in_flight.size() > 1 && IsRunning(now.state)) {
    parts.emplace_back(fmt::format("{} files", now.in_flight.size()));
  } else if (!now.file.empty()) {
    parts.emplace_back(std::string(FileName(now.file)), true);
  }
  return WhatFits(parts, columns);
}

std::vector<std::string> FileLines(const ProgressState& state, int columns, int lines) {
  const std::vector<hub::FileProgress>& files = state.latest().in_flight;
  std::vector<std::string> text;
  if (files.size() < 2 || lines < 1 || !IsRunning(state.latest().state)) return text;
  for (const hub::FileProgress& file : files) {
    if (text.size() == static_cast<std::size_t>(lines)) break;
    std::vector<Part> parts = {{fmt::format("  {:3} %", Percent(file.done_bytes, file.size))}};
    // The total line has the bytes as well; the name is only here.
    if (columns >= kWideColumns)
      parts.emplace_back(fmt::format("{:<17}", OfTotal(file.done_bytes, file.size)));
    parts.emplace_back(std::string(FileName(file.path)), true);
    if (file.connections == 0) parts.emplace_back("verifying");
    text.push_back(WhatFits(parts, columns));
  }
  return text;
}

Json ProgressEvent(const ProgressState& state) {
  const hub::TransferProgress& now = state.latest();
  Json event{{"type", "progress"},
             {"state", now.state},
             {"total_bytes", now.total_bytes},
             {"done_bytes", now.done_bytes},
             {"resumed_bytes", now.resumed_bytes},
             {"bytes_per_second", std::round(now.bytes_per_second)},
             {"eta_seconds", state.eta_seconds() < 0 ? Json(nullptr) : Json(std::round(state.eta_seconds()))},
             {"files_total", now.files_total},
             {"files_done", now.files_done},
             {"connections", now.connections}};
  if (!now.file.empty()) event["file"] = now.file;
  if (!now.in_flight.empty()) {
    Json files = Json::array();
    for (const hub::FileProgress& file : now.in_flight)
      files.push_back({{"file", file.path},
                       {"size", file.size},
                       {"done_bytes", file.done_bytes},
                       {"connections", file.connections}});
    event["in_flight"] = std::move(files);
  }
  if (!now.notice.empty()) event["notice"] = now.notice;
  return event;
}

TerminalSize SizeOfTerminal() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
    return {size.ws_col, size.ws_row};
  return {};
}

ProgressDisplay::ProgressDisplay(ProgressStyle style, Output& out, Output& err, hub::PauseControl& pause)
    : style_(style), out_(out), err_(err), pause_(pause), thread_([this] { Run(); }) {
  if (style_ == ProgressStyle::kLine) ++lines_shown;
}

ProgressDisplay::~ProgressDisplay() {
  Finish();
  if (style_ == ProgressStyle::kLine) --lines_shown;
}

bool ProgressDisplay::LineShown() { return lines_shown.load() > 0; }

double ProgressDisplay::Seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void ProgressDisplay::Observe(const hub::TransferProgress& progress) {
  const std::lock_guard lock(mutex_);
  state_.Update(progress, Seconds());
  any_ = true;
}

hub::ProgressObserver ProgressDisplay::observer() {
  return [this](const hub::TransferProgress& progress) { Observe(progress); };
}

std::uint64_t ProgressDisplay::done_bytes() const {
  const std::lock_guard lock(mutex_);
  return state_.latest().done_bytes;
}

void ProgressDisplay::Finish() {
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    finished_ = true;
  }
  changed_.notify_all();
  thread_.join();
  std::unique_lock lock(mutex_);
  Show(lock, true);
}

// What is due now; "" if nothing is. Under the lock.
std::string ProgressDisplay::Due(bool last) {
  if (!any_) return "";
  const double now = Seconds();
  if (style_ == ProgressStyle::kLine) return DueBlock(last);
  if (style_ == ProgressStyle::kPlain) {
    const hub::TransferProgress& progress = state_.latest();
    // A wait or a notice is news at once, everything else now and then.
    const std::string wait = IsRunning(progress.state) ? progress.notice : progress.state + progress.notice;
    const bool news = !wait.empty() && wait != shown_text_;
    if (!news && (last || now - shown_at_ < kPlainSeconds)) return "";
    shown_at_ = now;
    shown_text_ = wait;
    return fmt::format("gptoss: {}\n", ProgressLine(state_, kPlainColumns));
  }
  if (style_ == ProgressStyle::kJson && (last || now - shown_at_ >= kJsonSeconds)) {
    shown_at_ = now;
    return DumpJson(ProgressEvent(state_)) + "\n";
  }
  return "";
}

// Back to where the first of our lines begins, nothing left of them. A terminal that has become narrower
// since has broken them.
std::string ProgressDisplay::Erased() {
  const auto columns = static_cast<std::size_t>(SizeOfTerminal().columns);
  std::size_t rows = 0;
  for (const std::size_t width : std::exchange(open_lines_, {}))
    rows += std::max<std::size_t>(1, (width + columns - 1) / columns);
  if (rows == 0) return "";
  return rows == 1 ? std::string(kEraseLine) : fmt::format("\r\x1b[{}A\x1b[J", rows - 1);
}

std::string ProgressDisplay::DueBlock(bool last) {
  if (last) return Erased();
  const TerminalSize size = SizeOfTerminal();
  std::vector<std::string> lines = FileLines(state_, size.columns, std::min(kMostFileLines, size.rows - 2));
  lines.push_back(ProgressLine(state_, size.columns));
  const std::string text = fmt::format("{}", fmt::join(lines, "\n"));
  if (text == shown_text_ && !open_lines_.empty()) return "";
  shown_text_ = text;
  const std::string erased = Erased();
  for (const std::string& line : lines) open_lines_.push_back(Width(line));
  return (erased.empty() ? std::string(kEraseLine) : erased) + text;
}

// Writes without the lock: whoever reads slowly holds up this thread, not the transfer.
void ProgressDisplay::Show(std::unique_lock<std::mutex>& lock, bool last) {
  const std::string text = Due(last);
  if (text.empty()) return;
  lock.unlock();
  (style_ == ProgressStyle::kJson ? out_ : err_).Write(text);
  lock.lock();
}

void ProgressDisplay::Run() {
  double asked_at = -1;
  std::unique_lock lock(mutex_);
  while (!finished_) {
    changed_.wait_for(lock, kTick, [this] { return finished_; });
    if (finished_) break;
    const bool requested = suspend_.Requested();
    if (requested && asked_at < 0) {
      asked_at = Seconds();
      pause_.Pause();
    }
    const bool rests = state_.latest().state == "paused" || state_.latest().connections == 0;
    if (asked_at >= 0 && (!requested || rests || Seconds() - asked_at > kPauseSeconds)) {
      const std::string erased = Erased();
      lock.unlock();
      if (requested && !erased.empty()) err_.Write(erased + "gptoss: paused; 'fg' goes on\n");
      suspend_.Stop();
      lock.lock();
      asked_at = -1;
      pause_.Resume();
    }
    Show(lock, false);
  }
}

}  // namespace gptoss::cli
