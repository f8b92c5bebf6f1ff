// The text of the counters, held against the rules of Prometheus' text format 0.0.4.
#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "provider/agent_provider.h"
#include "provider/telemetry.h"

namespace gptoss {
namespace {

struct Measured {
  std::string name, labels;
  double value = 0;
};
struct Family {
  std::string help, type;
  std::vector<Measured> samples;
};

// Reads a text as a server of Prometheus would and complains about all that it would not take.
class Exposition {
 public:
  explicit Exposition(const std::string& text) {
    EXPECT_TRUE(text.ends_with('\n'));
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      Line(text.substr(at, end - at));
      at = end + 1;
    }
    for (const auto& [name, family] : families_) Check(name, family);
  }
  double Value(const std::string& name, const std::string& labels = "") const {
    for (const auto& [family, contents] : families_) {
      for (const Measured& sample : contents.samples) {
        if (sample.name == name && sample.labels == labels) return sample.value;
      }
    }
    ADD_FAILURE() << "there is no " << name << " {" << labels << "}";
    return std::nan("");
  }

 private:
  void Line(const std::string& line) {
    static const std::regex help(R"(# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*))"),
        type(R"(# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped))"),
        sample(R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*")\})? (\S+))re");
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      current_ = match[1];
      EXPECT_TRUE(families_.try_emplace(current_, Family{.help = match[2], .type = {}, .samples = {}}).second)
          << line << ": the lines of a metric stand together";
    } else if (std::regex_match(line, match, type)) {
      EXPECT_EQ(match[1], current_) << "HELP, TYPE and samples of a metric stand together";
      EXPECT_TRUE(families_[current_].type.empty() && families_[current_].samples.empty()) << line;
      families_[current_].type = match[2];
    } else if (std::regex_match(line, match, sample)) {
      const std::string number = match[3];
      double value = 0;
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
      EXPECT_TRUE(error == std::errc() && end == number.data() + number.size() && std::isfinite(value))
          << line;
      const std::string labels = match[2];
      EXPECT_TRUE(seen_.emplace(match[1], labels).second) << line << ": twice";
      families_[current_].samples.push_back({match[1], labels, value});
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }

  static void Check(const std::string& name, const Family& family) {
    EXPECT_FALSE(family.type.empty() || family.samples.empty()) << name;
    EXPECT_TRUE(name.starts_with("gptoss_")) << name;
    EXPECT_EQ(family.type == "counter", name.ends_with("_total")) << name;
    if (family.type == "histogram") return CheckHistogram(name, family);
    for (const Measured& sample : family.samples) {
      EXPECT_EQ(sample.name, name);
      EXPECT_GE(sample.value, 0) << name;
    }
  }

  // Buckets grow with their bounds, the last one is +Inf and counts everything.
  static void CheckHistogram(const std::string& name, const Family& family) {
    double bound = -1, count = 0, last = -1, total = -1;
    bool infinite = false, summed = false;
    for (const Measured& sample : family.samples) {
      if (sample.name == name + "_bucket") {
        EXPECT_TRUE(sample.labels.starts_with("le=\"")) << sample.labels;
        const std::string text = sample.labels.substr(4, sample.labels.size() - 5);
        EXPECT_FALSE(infinite);
        infinite = text == "+Inf";
        const double next = infinite ? HUGE_VAL : std::stod(text);
        EXPECT_GT(next, bound);
        EXPECT_GE(sample.value, count);
        bound = next;
        count = last = sample.value;
      } else if (sample.name == name + "_sum") {
        summed = true;
      } else {
        EXPECT_EQ(sample.name, name + "_count");
        total = sample.value;
      }
    }
    EXPECT_TRUE(infinite && summed) << name;
    EXPECT_EQ(last, total) << name;
  }

  std::map<std::string, Family> families_;
  std::set<std::pair<std::string, std::string>> seen_;
  std::string current_;
};

TEST(Prometheus, TheFormatHoldsForAnyNumbers) {
  MetricsSnapshot metrics;
  for (const auto& [scale, seconds] :
       {std::pair{0ULL, 0.0}, {1ULL, 1e-9}, {1ULL << 53, 1e15}, {7ULL, 1.0 / 3}}) {
    metrics.generations = metrics.cancelled = metrics.failed = metrics.repaired = scale;
    metrics.prompt_tokens = metrics.cached_tokens = metrics.generated_tokens = metrics.active = scale;
    metrics.first_token_seconds = metrics.decode_seconds = seconds;
    metrics.first_token.fill(scale);
    const Exposition read(PrometheusText(metrics, scale, scale, scale, scale, scale > 0));
    EXPECT_EQ(read.Value("gptoss_generations_total"), static_cast<double>(scale));
    EXPECT_EQ(read.Value("gptoss_decode_seconds_total"), seconds);
    EXPECT_EQ(read.Value("gptoss_memory_bytes", "use=\"kv\""), static_cast<double>(scale));
    EXPECT_EQ(read.Value("gptoss_first_token_seconds_bucket", "le=\"0.05\""), static_cast<double>(scale));
  }
}

TEST(Prometheus, IsOfTheProvidersOwnCounters) {
  ProviderOptions options;
  options.pressure_source = nullptr;
  const auto provider = GptOssAgentProvider::Create(options, LocalModelSource("")).value();
  EXPECT_EQ(Exposition(PrometheusText(*provider)).Value("gptoss_model_ready"), 0);
  struct Wait {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<StreamDone> done;
  };
  const auto wait = std::make_shared<Wait>();
  ASSERT_TRUE(provider->Stream(provider->StartSession().value(), "Hello", {.max_tokens = 4}, nullptr,
                               [wait](const StreamDone& done) {
                                 const std::lock_guard lock(wait->mutex);
                                 wait->done = done;
                                 wait->changed.notify_all();
                               }));
  std::unique_lock lock(wait->mutex);
  ASSERT_TRUE(wait->changed.wait_for(lock, std::chrono::minutes(2), [&] { return wait->done.has_value(); }));
  const Exposition read(PrometheusText(*provider));
  EXPECT_EQ(read.Value("gptoss_generations_total"), 1);
  EXPECT_EQ(read.Value("gptoss_generated_tokens_total"),
            static_cast<double>(wait->done->usage.generated_tokens));
  EXPECT_EQ(read.Value("gptoss_prompt_tokens_total"), static_cast<double>(wait->done->usage.prompt_tokens));
  EXPECT_EQ(read.Value("gptoss_first_token_seconds_count"), 1);
  EXPECT_EQ(read.Value("gptoss_model_ready"), 1);
  EXPECT_GT(read.Value("gptoss_memory_bytes", "use=\"weights\""), 1e6);
  EXPECT_GT(read.Value("gptoss_memory_bytes", "use=\"resident\""),
            read.Value("gptoss_memory_bytes", "use=\"weights\""));
}

}  // namespace
}  // namespace gptoss
