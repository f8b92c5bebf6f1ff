// Writing to the terminal and to pipes: whole writes, closed pipes noticed, no control characters from a
// model.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "base/error.h"

namespace gptoss::cli {

inline constexpr std::string_view kEraseLine = "\r\x1b[2K";

// One file descriptor, unbuffered: what is written is out. Not thread-safe; not the owner of the descriptor.
// A pipe that nobody empties is waited for, until a signal comes (SignalPending).
class Output {
 public:
  explicit Output(int descriptor);
  virtual ~Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // False once the other end is gone, a signal came while it was full, or writing failed; then nothing more
  // is written.
  virtual bool Write(std::string_view bytes);
  bool ok() const { return !closed_ && !given_up_ && !failure_; }
  bool closed() const { return closed_; }  // the reader has gone (EPIPE): no fault of anybody's
  Status status() const;                   // any other failure, e.g. a full disk
  bool is_terminal() const { return terminal_; }
  // Terminal, and neither NO_COLOR nor TERM=dumb: escape sequences of our own are welcome.
  bool styled() const { return styled_; }

 protected:
  bool terminal_ = false;
  bool styled_ = false;

 private:
  bool WaitForRoom();

  int descriptor_;
  bool may_block_ = false;
  bool closed_ = false;
  std::atomic<bool> given_up_ = false;
  int failure_ = 0;  // errno
};

Output& StandardOutput();
Output& StandardError();

// `text` (whole UTF-8) without C0 controls other than newline and tab, DEL, and C1 controls: a model's or a
// file's text cannot move the cursor, set the title or answer in the user's name.
std::string WithoutControls(std::string_view text);

// "gptoss: error: SENTENCE" on stderr.
void Complain(std::string_view sentence);
// A remark of ours on stderr, dimmed where the terminal can.
void Remark(std::string_view sentence);
std::string Dimmed(std::string_view text, const Output& output);

// Opens /dev/null for each standard descriptor that the parent closed, so that no file of ours takes its
// number. Stdout gets it read-only: writing an answer nobody can read must fail, not seem to succeed.
void ReserveStandardDescriptors();

}  // namespace gptoss::cli
