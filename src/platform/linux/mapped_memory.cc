#include "platform/mapped_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // Linux 5.14
#endif

namespace gptoss {

bool PopulateMapped(std::span<const std::byte> bytes) {
  if (bytes.empty()) return true;
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size();
  void* const address = reinterpret_cast<void*>(begin);
  while (::madvise(address, end - begin, MADV_POPULATE_READ) != 0) {
    if (errno == EINTR || errno == EAGAIN) continue;
    if (errno != EINVAL) return false;  // EFAULT, EIO: a touch would have been a signal
    // An older kernel: ask for the pages and leave the mapping of them to the first touch.
    ::madvise(address, end - begin, MADV_WILLNEED);
    return true;
  }
  return true;
}

}  // namespace gptoss
