#include "platform/mapped_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace gptoss {

bool PopulateMapped(std::span<const std::byte> bytes) {
  if (bytes.empty()) return true;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size();
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
  // One byte of every page: the system reads ahead by itself from there.
  volatile std::byte sink{};
  for (std::uintptr_t at = reinterpret_cast<std::uintptr_t>(bytes.data()); at < end;
       at = at / page * page + page) {
    sink = *reinterpret_cast<const std::byte*>(at);
  }
  static_cast<void>(sink);
  return true;
}

}  // namespace gptoss
