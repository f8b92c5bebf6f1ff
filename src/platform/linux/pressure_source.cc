#include "platform/linux/pressure_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/linux/control_group.h"
#include "platform/linux/stall_totals.h"
#include "platform/pressure_judge.h"
#include "platform/system.h"

namespace gptoss {
namespace {

// A tenth of two seconds lost. Kernels let an unprivileged process watch windows of whole two seconds only:
// Documentation/accounting/psi.rst.
constexpr std::string_view kSomeTrigger = "some 200000 2000000", kAllTrigger = "full 200000 2000000";
// Without triggers the look at available memory is all there is.
constexpr std::chrono::milliseconds kBlindPatience{1000};

enum class Watch : std::uint8_t { kWake, kSomeStalled, kAllStalled, kEvents };

class LinuxSource : public MemoryPressureSource {
 public:
  explicit LinuxSource(const std::filesystem::path& root) : group_(FindMemoryGroup(root)) {
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    Add(wake_, Watch::kWake);
    AddTriggers(root / "proc/pressure/memory");
    if (group_ && group_->version == 2) {
      AddTriggers(group_->folder / "memory.pressure");
      Add(::open((group_->folder / "memory.events").c_str(), O_RDONLY | O_CLOEXEC), Watch::kEvents);
    }
    if (group_) out_of_memory_ = OutOfMemoryEvents(*group_);
  }
  ~LinuxSource() override {
    for (const pollfd& watched : watched_) ::close(watched.fd);
  }
  LinuxSource(const LinuxSource&) = delete;
  LinuxSource& operator=(const LinuxSource&) = delete;

  MemoryPressure Wait(std::chrono::milliseconds patience) override {
    if (!has_triggers_) patience = std::min(patience, kBlindPatience);
    PressureReading reading;
    const int ready = ::poll(watched_.data(), watched_.size(), static_cast<int>(patience.count()));
    for (StallFile& stalls : stall_files_)
      stalls.history.Observe(ReadStallTotals(stalls.file), PressureJudge::Clock::now());
    if (ready > 0) ReadEvents(reading);
    if (group_) {
      const std::uint64_t events = OutOfMemoryEvents(*group_);
      reading.out_of_memory = events > out_of_memory_;
      out_of_memory_ = events;
    }
    const MemoryInfo memory = SystemMemory();
    reading.total = memory.total;
    reading.available = memory.available;
    return judge_.Judge(reading, PressureJudge::Clock::now());
  }

  void Wake() override {
    const std::uint64_t one = 1;
    // Full means that it is awake already.
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  }

 private:
  struct StallFile {
    std::filesystem::path file;
    StallHistory history;
  };

  // `stalls`: of stall_files_, for triggers.
  void Add(int fd, Watch kind, std::size_t stalls = 0) {
    if (fd < 0) return;
    const short events = kind == Watch::kWake ? POLLIN : POLLPRI;
    watched_.push_back({.fd = fd, .events = events, .revents = 0});
    kinds_.push_back({kind, stalls});
  }

  void AddTriggers(const std::filesystem::path& file) {
    stall_files_.push_back({file, StallHistory(ReadStallTotals(file), PressureJudge::Clock::now())});
    for (const auto& [trigger, kind] :
         {std::pair(kSomeTrigger, Watch::kSomeStalled), std::pair(kAllTrigger, Watch::kAllStalled)}) {
      const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
      if (fd < 0) return;
      // The terminating zero belongs to what the kernel wants.
      if (::write(fd, trigger.data(), trigger.size() + 1) < 0) {
        ::close(fd);
        continue;
      }
      Add(fd, kind, stall_files_.size() - 1);
      has_triggers_ = true;
    }
  }

  void ReadEvents(PressureReading& reading) {
    for (std::size_t i = watched_.size(); i-- > 0;) {
      const short got = watched_[i].revents;
      if (got == 0) continue;
      const int fd = watched_[i].fd;
      const auto [kind, stalls] = kinds_[i];
      if (kind == Watch::kWake) {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t taken = ::read(fd, &count, sizeof count);
      } else if (kind == Watch::kEvents) {
        // Reading arms it again. What it says is read by name in Wait.
        std::array<char, 512> text;
        [[maybe_unused]] const ssize_t taken = ::pread(fd, text.data(), text.size(), 0);
      } else if ((got & (POLLERR | POLLNVAL | POLLHUP)) != 0) {
        // The group is gone: a dead descriptor would make poll return at once for ever.
        ::close(fd);
        watched_.erase(watched_.begin() + static_cast<std::ptrdiff_t>(i));
        kinds_.erase(kinds_.begin() + static_cast<std::ptrdiff_t>(i));
      } else if ((got & POLLPRI) != 0) {
        const StallHistory& history = stall_files_[stalls].history;
        if (kind == Watch::kAllStalled && history.AllStalled()) reading.all_stalled = true;
        if (kind == Watch::kSomeStalled && history.SomeStalled()) reading.some_stalled = true;
      }
    }
  }

  const std::optional<MemoryGroup> group_;
  int wake_ = -1;
  std::vector<pollfd> watched_;
  std::vector<std::pair<Watch, std::size_t>> kinds_;  // of watched_
  std::vector<StallFile> stall_files_;
  bool has_triggers_ = false;
  std::uint64_t out_of_memory_ = 0;
  PressureJudge judge_;
};

}  // namespace

std::unique_ptr<MemoryPressureSource> LinuxMemoryPressureSource(const std::filesystem::path& root) {
  return std::make_unique<LinuxSource>(root);
}

std::unique_ptr<MemoryPressureSource> SystemMemoryPressureSource() { return LinuxMemoryPressureSource("/"); }

}  // namespace gptoss
