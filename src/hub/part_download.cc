#include "hub/part_download.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hub/answer_check.h"
#include "hub/block_writer.h"
#include "hub/http_text.h"

namespace gptoss::hub {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = Verdict::Kind;

constexpr std::chrono::seconds kHandEvery{1};  // on a slow line: what a crash may cost
constexpr int kMostBadAnswers = 6;
constexpr int kMostRefusals = 3;

// Judges the head, writes what the flight wants of the body.
class PartSink : public net::HttpSink {
 public:
  PartSink(TransferState& state, Flight& flight, Asked asked)
      : state_(state), flight_(flight), asked_(std::move(asked)) {}

  Status OnHead(const net::HttpHead& given) override {
    head = given;
    verdict = Judge(asked_, given);
    judged = true;
    window_start_ = Clock::now();
    if (verdict.kind != Kind::kBytes) {
      // The body of a redirect or a refusal is of no interest.
      return Fail(ErrorCode::kCancelled, "not wanted");
    }
    cursor_ = verdict.first;
    const bool whole_instead = asked_.ranged && given.status == 200;
    const std::lock_guard lock(state_.mutex);
    flight_.whole_body = given.status == 200;
    if (!whole_instead) return {};
    return OnWholeInstead();
  }

  Status OnData(std::span<const std::byte> data) override {
    const std::uint64_t limit = verdict.last + 1;
    if (data.size() > limit - cursor_) {
      too_long = true;
      data = data.subspan(0, static_cast<std::size_t>(limit - cursor_));
    }
    std::vector<ByteRange> wanted;
    {
      const std::lock_guard lock(state_.mutex);
      if (flight_.stop.cancelled()) return Fail(ErrorCode::kCancelled, "stopped");
      if (!flight_.written_status) return Broken(flight_.written_status);
      const std::uint64_t end = std::min(flight_.end, limit);
      const ByteRange here{std::max(cursor_, flight_.begin), std::min(cursor_ + data.size(), end)};
      if (here.begin < here.end) wanted = flight_.file->held.Missing(here);
      // From here on nobody else takes these bytes over.
      flight_.position = std::max(flight_.position, std::min(cursor_ + data.size(), end));
      complete = cursor_ + data.size() >= end;
      step_ = state_.fast_line ? kFastBlockBytes : kBlockBytes;
      for (const ByteRange& range : wanted) NoteBytes(range.size());
    }
    for (const ByteRange& range : wanted) {
      Take(range.begin, data.subspan(static_cast<std::size_t>(range.begin - cursor_),
                                     static_cast<std::size_t>(range.size())));
    }
    cursor_ += data.size();
    if (too_long || (complete && cursor_ < limit)) return Fail(ErrorCode::kCancelled, "enough");
    return CheckRate(data.size());
  }

  // What has come is written and in the journal.
  Status Finish() {
    Hand();
    return Drain(state_, flight_);
  }

  net::HttpHead head;
  Verdict verdict;
  bool judged = false, complete = false, too_long = false;
  bool local_error = false;  // the disk's, not the network's
  std::uint64_t written = 0;

 private:
  // The server sends everything although a part was asked for: then one connection must do, and what is
  // there already is passed over. Called with the lock held.
  Status OnWholeInstead() {
    FileTask& file = *flight_.file;
    file.whole_only = true;
    for (Flight* other : file.flights) {
      if (other == &flight_) continue;
      if (other->whole_body) {  // it gets everything already: let it go to the end
        other->end = file.size();
        return Fail(ErrorCode::kCancelled, "another connection has it");
      }
      other->stop.Cancel();
    }
    flight_.begin = 0;
    flight_.end = file.size();
    return {};
  }

  Status Broken(Status status) {
    local_error = true;
    return status;
  }

  // With the lock held.
  void NoteBytes(std::uint64_t bytes) {
    FileTask& file = *flight_.file;
    written += bytes;
    flight_.buffered += bytes;
    file.failures = 0;
    file.refusals = 0;
    file.trouble.clear();
    state_.network_bytes += bytes;
  }

  void Take(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      if (block_ && offset != block_->end()) Hand();
      if (!block_) {
        block_ = state_.recent.Take();
        block_->Begin(offset);
        block_begun_ = Clock::now();
      }
      // Blocks end at multiples of their size, so that the hash meets them whole.
      const std::size_t taken =
          block_->Append(bytes.subspan(0, std::min<std::size_t>(bytes.size(), step_ - offset % step_)));
      offset += taken;
      bytes = bytes.subspan(taken);
      if (offset % step_ == 0 || Clock::now() - block_begun_ > kHandEvery) Hand();
    }
  }

  void Hand() {
    if (block_) HandOver(state_, flight_, std::exchange(block_, nullptr));
  }

  // Slower than the least for a whole window: a new connection may do better.
  Status CheckRate(std::uint64_t bytes) {
    const auto window = state_.options.stall_timeout * 2;
    window_bytes_ += bytes;
    const auto now = Clock::now();
    if (now - window_start_ < window) return {};
    const double rate =
        static_cast<double>(window_bytes_) / std::chrono::duration<double>(now - window_start_).count();
    window_start_ = now;
    window_bytes_ = 0;
    if (rate >= static_cast<double>(state_.options.min_rate_bytes)) return {};
    return Fail(ErrorCode::kDeadlineExceeded, fmt::format("only {:.0f} bytes a second came", rate));
  }

  TransferState& state_;
  Flight& flight_;
  const Asked asked_;
  BlockPointer block_;  // what has come and is not handed over yet
  Clock::time_point block_begun_;
  std::size_t step_ = kBlockBytes;  // where blocks end
  std::uint64_t cursor_ = 0;
  Clock::time_point window_start_ = Clock::now();
  std::uint64_t window_bytes_ = 0;
};

// An attempt failed. Failures that began before the last one was seen are the same incident on other
// connections and count once. With the lock held.
void NoteFailure(TransferState& state, Flight& flight, const std::string& what,
                 std::optional<std::chrono::milliseconds> wait = std::nullopt) {
  FileTask& file = *flight.file;
  const auto now = Clock::now();
  file.trouble = what;
  if (file.failures > 0 && flight.started < file.last_failure) return;
  ++file.failures;
  file.last_failure = now;
  if (file.failures > state.options.retry_limit) {
    state.FailWith(
        {ErrorCode::kUnavailable,
         fmt::format("{}: {}; gave up after {} attempts without a byte; {} of {} bytes are kept: run "
                     "the same command again to go on",
                     file.job.file.path, what, file.failures, file.held.bytes(), file.size())});
    return;
  }
  file.not_before = now + wait.value_or(BackoffWait(file.failures, state.options.retry_base));
  if (file.failures >= 2) file.location.reset();  // perhaps that place is the trouble
  const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(file.not_before - now);
  state.Notice(fmt::format("{}; trying again in {} (attempt {} of {})", what, DurationText(pause),
                           file.failures + 1, state.options.retry_limit + 1));
}

// Finds out where the file is, unless that is known. False: not now.
bool EnsureLocation(TransferState& state, Flight& flight, net::Url& url) {
  FileTask& file = *flight.file;
  std::unique_lock lock(state.mutex);
  state.wake.wait(lock, [&] { return !file.locating || flight.stop.cancelled(); });
  if (flight.stop.cancelled()) return false;
  if (!file.location) {
    file.locating = true;
    lock.unlock();
    auto location = state.client.Locate(state.repository, state.commit, file.job.file, flight.stop.token());
    lock.lock();
    file.locating = false;
    state.wake.notify_all();
    if (!location) {
      if (!flight.stop.cancelled()) state.FailWith(std::move(location).error());
      return false;
    }
    file.location = std::move(*location);
  }
  auto parsed = net::ParseUrl(file.location->url);
  if (!parsed) {
    state.FailWith(std::move(parsed).error());
    return false;
  }
  url = std::move(*parsed);
  return true;
}

struct Attempt {
  Asked asked;
  net::Url url;
  net::Url first_url;  // before redirects
  bool fresh = false;
};

net::HttpRequest MakeRequest(const TransferState& state, const Attempt& attempt) {
  net::HttpRequest request = state.policy.Request("GET", attempt.url);
  request.fresh_connection = attempt.fresh;
  if (attempt.asked.ranged) {
    request.headers.emplace_back("Range",
                                 fmt::format("bytes={}-{}", attempt.asked.begin, attempt.asked.end - 1));
    if (!attempt.asked.if_range.empty()) request.headers.emplace_back("If-Range", attempt.asked.if_range);
  }
  return request;
}

// An answer that brought no bytes of ours. With the lock held.
void OnVerdict(TransferState& state, Flight& flight, const net::Url& url, const net::HttpHead& head,
               const Verdict& verdict) {
  FileTask& file = *flight.file;
  const std::string said = fmt::format("{} {}", url.host, verdict.text);
  const auto damaged = [&](std::string_view hint) {
    state.FailWith(
        {ErrorCode::kDataLoss, fmt::format("{}: {}, again and again; {}", file.job.file.path, said, hint)});
  };
  switch (verdict.kind) {
    case Kind::kLater:
      if (verdict.wait && *verdict.wait > state.options.rate_limit_cap) {
        state.FailWith({ErrorCode::kUnavailable,
                        fmt::format("{}: {} and asks to wait {}; run the same command again after that",
                                    file.job.file.path, said, DurationText(*verdict.wait))});
        return;
      }
      state.governor.BackOff(Clock::now());
      NoteFailure(state, flight, said, verdict.wait);
      return;
    case Kind::kRefused:
      // A signed address that has run out is renewed at once; the Hub itself says what else it may be.
      file.location.reset();
      if (flight.started < file.last_failure) return;
      if (++file.refusals > kMostRefusals) {
        state.FailWith(RefusalError(state.policy, url, head, state.repository,
                                    fmt::format("{} of {}", file.job.file.path, state.repository)));
        return;
      }
      if (file.refusals > 1) NoteFailure(state, flight, said);
      file.last_failure = Clock::now();
      return;
    case Kind::kChanged:
      // The hash decides which bytes were right; asking on with this condition would get everything anew.
      file.use_if_range = false;
      return;
    case Kind::kNotSatisfiable:
    case Kind::kOtherBytes:
      if (++file.bad_answers >= kMostBadAnswers) return damaged("it cannot be used");
      if (file.bad_answers >= 2 || verdict.kind == Kind::kNotSatisfiable) file.whole_only = true;
      file.location.reset();
      return NoteFailure(state, flight, said);
    case Kind::kOtherSize:
    case Kind::kNoFile:
    default:
      if (++file.bad_answers >= 3) return damaged("what has come is kept, but nothing was installed");
      file.location.reset();
      return NoteFailure(state, flight, said);
  }
}

// How the transfer of a body ended. With the lock held.
void OnBody(TransferState& state, Flight& flight, const net::Url& url, const PartSink& sink,
            const Status& status) {
  FileTask& file = *flight.file;
  if (sink.written > 0) file.bad_answers = 0;
  if (sink.local_error) {
    state.FailWith(status.error());
    return;
  }
  if (sink.too_long && ++file.bad_answers >= 3) {
    state.FailWith({ErrorCode::kDataLoss,
                    fmt::format("{}: {} sends more bytes than the file has", file.job.file.path, url.host)});
    return;
  }
  if (sink.complete || flight.stop.cancelled()) return;
  if (status || status.error().code == ErrorCode::kCancelled) {
    if (sink.written == 0 && status) NoteFailure(state, flight, url.host + " ended before the file did");
    return;
  }
  const Error& error = status.error();
  if (!IsTransient(error) && error.code != ErrorCode::kDataLoss) {
    state.FailWith({error.code, fmt::format("{}: {}", file.job.file.path, error.message)});
    return;
  }
  if (sink.written > 0) {
    state.Notice(fmt::format("{}: {}; connecting again", url.host, error.message));
    return;
  }
  NoteFailure(state, flight, error.message);
}

// With the lock held. Remembers the ETag of this place, for the next request and the next process.
void LearnEtag(Flight& flight, const net::Url& url, const net::HttpHead& head, Status& trouble) {
  const std::string etag = StrongEtag(head.headers);
  FileTask& file = *flight.file;
  if (etag.empty() || !file.use_if_range) return;
  trouble = file.partial->RememberEtag(url.origin(), etag);
}

Attempt Plan(TransferState& state, Flight& flight, net::Url url) {
  FileTask& file = *flight.file;
  const std::lock_guard lock(state.mutex);
  Attempt attempt;
  attempt.asked = {.begin = flight.begin, .end = flight.end, .size = file.size()};
  attempt.asked.ranged = !file.whole_only && (flight.begin > 0 || flight.end < file.size());
  attempt.fresh = file.fresh;
  if (attempt.asked.ranged && file.use_if_range && file.partial->etag_origin() == url.origin()) {
    attempt.asked.if_range = file.partial->etag();
  }
  if (!attempt.asked.ranged) {
    flight.begin = 0;
    flight.whole_body = true;
    attempt.asked.begin = 0;
    attempt.asked.end = file.size();
  }
  attempt.first_url = url;
  attempt.url = std::move(url);
  return attempt;
}

void Fly(TransferState& state, Flight& flight) {
  net::Url url;
  if (!EnsureLocation(state, flight, url)) return;
  Attempt attempt = Plan(state, flight, std::move(url));
  for (int hop = 0;; ++hop) {
    PartSink sink(state, flight, attempt.asked);
    Status status = state.client.http().Stream(MakeRequest(state, attempt), sink, flight.stop.token());
    if (Status flushed = sink.Finish(); !flushed && !sink.local_error) {
      sink.local_error = true;
      status = flushed;
    }
    const std::lock_guard lock(state.mutex);
    if (sink.judged && sink.verdict.kind == Kind::kRedirect) {
      auto next = hop < kMostRedirects
                      ? state.policy.Redirect(attempt.url, sink.head)
                      : Result<net::Url>(Fail(ErrorCode::kDataLoss,
                                              fmt::format("{} redirects more than {} times; that is a loop",
                                                          attempt.url.host, kMostRedirects)));
      if (!next) return state.FailWith(std::move(next).error().Within(flight.file->job.file.path));
      attempt.url = std::move(*next);
      continue;
    }
    if (!sink.judged || sink.verdict.kind == Kind::kBytes) {
      Status trouble;
      if (sink.judged) LearnEtag(flight, attempt.url, sink.head, trouble);
      if (!trouble) return state.FailWith(std::move(trouble).error());
      return OnBody(state, flight, attempt.url, sink, status);
    }
    return OnVerdict(state, flight, attempt.url, sink.head, sink.verdict);
  }
}

}  // namespace

void RunFlight(TransferState& state, Flight& flight) {
  Fly(state, flight);
  const std::lock_guard lock(state.mutex);
  std::erase(flight.file->flights, &flight);
  state.WakeAll();
}

}  // namespace gptoss::hub
