// delay_link NETNS NETNS MS MB_S: a wire between two network namespaces that holds every packet up for MS and
// lets MB_S megabytes a second through each way, for kernels without netem. Each namespace gets a device
// "wire"; the caller gives them their addresses. Runs until it is ended. Linux, root.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kPacket = 65536;
constexpr Seconds kQueue{0.1};  // of packets that wait for the line; more are dropped, as by a router
constexpr int kBatch = 64;

int OpenWire(const char* space) {
  const int entry = ::open(space, O_RDONLY | O_CLOEXEC);
  if (entry < 0 || ::setns(entry, CLONE_NEWNET) != 0) return -1;
  ::close(entry);
  const int wire = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strcpy(request.ifr_name, "wire");
  if (wire < 0 || ::ioctl(wire, TUNSETIFF, &request) != 0) return -1;
  return wire;
}

struct Packet {
  Clock::time_point due;
  std::vector<char> bytes;
};

Clock::duration Ticks(Seconds time) { return std::chrono::duration_cast<Clock::duration>(time); }

void Carry(int from, int to, Seconds delay, double bytes_per_second) {
  std::deque<Packet> under_way;
  std::array<char, kPacket> buffer;
  Clock::time_point line_free{};
  for (;;) {
    for (int i = 0; i < kBatch; ++i) {
      const ssize_t got = ::read(from, buffer.data(), buffer.size());
      if (got <= 0) break;
      const auto now = Clock::now();
      line_free = std::max(line_free, now);
      if (line_free - now > kQueue) continue;
      line_free += Ticks(Seconds(static_cast<double>(got) / bytes_per_second));
      under_way.push_back({line_free + Ticks(delay), {buffer.data(), buffer.data() + got}});
    }
    while (!under_way.empty() && under_way.front().due <= Clock::now()) {
      const auto& bytes = under_way.front().bytes;
      if (::write(to, bytes.data(), bytes.size()) < 0 && errno == EAGAIN) break;
      under_way.pop_front();
    }
    timespec wait{.tv_sec = 1, .tv_nsec = 0};
    if (!under_way.empty()) {
      const auto left = std::chrono::nanoseconds(under_way.front().due - Clock::now()).count();
      wait = {.tv_sec = 0, .tv_nsec = std::max<long>(left, 0)};
      if (wait.tv_nsec >= 1'000'000'000) wait = {.tv_sec = 0, .tv_nsec = 999'999'999};
    }
    pollfd ready{.fd = from, .events = POLLIN, .revents = 0};
    ::ppoll(&ready, 1, &wait, nullptr);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: delay_link NETNS NETNS MS MB_S\n");
    return 2;
  }
  const int first = OpenWire(argv[1]), second = OpenWire(argv[2]);
  if (first < 0 || second < 0) {
    std::perror("delay_link");
    return 1;
  }
  const Seconds delay(std::atof(argv[3]) / 1000);
  const double rate = std::atof(argv[4]) * 1e6;
  const std::thread back([&] { Carry(second, first, delay, rate); });
  Carry(first, second, delay, rate);
}
