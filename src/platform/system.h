// What this machine is and has. linux/ and macos/ each implement this one header.
#pragma once

#include <cstdint>
#include <string>

namespace gptoss {

// Bytes. `available`: what can be had without swapping (control-group limits included on Linux;
// free + inactive + purgeable on macOS). Zero where the system does not say.
struct MemoryInfo {
  std::uint64_t total = 0;
  std::uint64_t available = 0;
};
MemoryInfo SystemMemory();

// Bytes of this process in RAM now, and the most there ever were. Mapped file pages count.
std::uint64_t ResidentMemory();
std::uint64_t PeakResidentMemory();

// Logical CPUs this process may use (affinity and control-group quota honoured), at least 1.
int UsableCpus();
// Binds the calling thread to the index-th usable CPU. False where the system does not allow it (macOS).
bool PinThisThread(int index);
void NameThisThread(const char* name);

// "AMD EPYC 9V74", "Apple M2", or the architecture's name.
std::string CpuName();

// Asks for huge pages behind a large private allocation; a hint, never an error.
void AdviseHugePages(void* address, std::uint64_t bytes);

}  // namespace gptoss
