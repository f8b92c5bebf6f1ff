#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

namespace gptoss {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

SamplingOptions Plain() {
  return {.temperature = 1, .top_p = 1, .top_k = 0, .min_p = 0, .seed = std::nullopt};
}

// How often each id comes out of `draws` draws.
std::map<std::int32_t, int> Count(const std::vector<float>& logits, const SamplingOptions& options,
                                  int draws = 20000) {
  Sampler sampler(static_cast<std::int64_t>(logits.size()));
  UniformSource random(12345);
  std::map<std::int32_t, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[sampler.Sample(logits, options, random).value()];
  return counts;
}

std::set<std::int32_t> Support(const std::vector<float>& logits, const SamplingOptions& options,
                               int draws = 2000) {
  std::set<std::int32_t> ids;
  for (const auto& [id, count] : Count(logits, options, draws)) ids.insert(id);
  return ids;
}

std::vector<float> LogOf(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)) + 3.0F);
  return logits;
}

// Chi-square over 20,000 draws; 30 is far beyond the 0.999 quantile of up to 7 degrees of freedom (24.3).
void ExpectDistribution(const std::map<std::int32_t, int>& counts, const std::vector<double>& expected) {
  double chi = 0;
  int total = 0;
  for (const auto& [id, count] : counts) {
    ASSERT_LT(static_cast<std::size_t>(id), expected.size());
    ASSERT_GT(expected[static_cast<std::size_t>(id)], 0) << id;
    total += count;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == 0) continue;
    const auto found = counts.find(static_cast<std::int32_t>(i));
    const double seen = found == counts.end() ? 0 : found->second;
    chi += (seen - total * expected[i]) * (seen - total * expected[i]) / (total * expected[i]);
  }
  EXPECT_LT(chi, 30);
}

TEST(UniformSource, IsSplitMix64) {
  // The first outputs for seed 1234567 as published with the reference implementation (Vigna).
  UniformSource random(1234567);
  EXPECT_EQ(random.NextBits(), 6457827717110365317ULL);
  EXPECT_EQ(random.NextBits(), 3203168211198807973ULL);
  EXPECT_EQ(random.NextBits(), 9817491932198370423ULL);
  for (int i = 0; i < 1000; ++i) {
    const double u = random.Next();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
  }
}

TEST(Sampler, GreedyTakesTheLowestOfTheLargest) {
  SamplingOptions greedy = Plain();
  greedy.temperature = 0;
  EXPECT_EQ(Support({1, 5, 2, 5}, greedy), std::set<std::int32_t>{1});
  EXPECT_EQ(Support({kNan, -3, kNan, -2, kNan}, greedy), std::set<std::int32_t>{3});
  EXPECT_EQ(Support({-kInfinity, 0}, greedy), std::set<std::int32_t>{1});
}

TEST(Sampler, DrawsFromTheSoftmax) {
  ExpectDistribution(Count(LogOf({0.5, 0.25, 0.15, 0.1}), Plain()), {0.5, 0.25, 0.15, 0.1});
}

TEST(Sampler, TemperatureFlattensAndSharpens) {
  SamplingOptions options = Plain();
  options.temperature = 2;  // p^(1/2), renormalised
  ExpectDistribution(Count(LogOf({0.64, 0.36}), options), {0.8 / 1.4, 0.6 / 1.4});
  options.temperature = 0.5;  // p^2
  ExpectDistribution(Count(LogOf({0.6, 0.4}), options), {0.36 / 0.52, 0.16 / 0.52});
  options.temperature = 1e-6;
  EXPECT_EQ(Support({1, 1.001F, 0}, options), std::set<std::int32_t>{1});
}

TEST(Sampler, TopKKeepsTheLikeliestAndLowerIdsOnTies) {
  SamplingOptions options = Plain();
  options.top_k = 2;
  ExpectDistribution(Count(LogOf({0.1, 0.5, 0.15, 0.25}), options), {0, 2.0 / 3, 0, 1.0 / 3});
  EXPECT_EQ(Support({1, 1, 1, 1}, options), (std::set<std::int32_t>{0, 1}));
  options.top_k = 1;
  EXPECT_EQ(Support({0, 2, 2}, options), std::set<std::int32_t>{1});
  options.top_k = 1000;
  EXPECT_EQ(Support({1, 1, 1, 1}, options).size(), 4U);
}

TEST(Sampler, TopPKeepsTheShortestHeadThatReachesP) {
  SamplingOptions options = Plain();
  options.top_p = 0.7;
  ExpectDistribution(Count(LogOf({0.1, 0.5, 0.15, 0.25}), options), {0, 2.0 / 3, 0, 1.0 / 3});
  options.top_p = 0;
  EXPECT_EQ(Support({0, 2, 2}, options), std::set<std::int32_t>{1});
  options.top_p = 0.5;  // four equal ones: two reach a half, the lower ids
  EXPECT_EQ(Support({1, 1, 1, 1}, options), (std::set<std::int32_t>{0, 1}));
  options.top_p = 1;
  EXPECT_EQ(Support({1, 1, 1, 1}, options).size(), 4U);
}

TEST(Sampler, TopPAgreesWithAFullSortOnManyLogits) {
  std::vector<float> logits(2000);
  UniformSource noise(3);
  for (float& logit : logits) logit = static_cast<float>(noise.Next() * 12);
  std::vector<std::pair<double, std::int32_t>> sorted;
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    sorted.emplace_back(-std::exp(double{logits[i]}), static_cast<std::int32_t>(i));
    total += std::exp(double{logits[i]});
  }
  std::sort(sorted.begin(), sorted.end());
  for (const double top_p : {0.001, 0.01, 0.03}) {
    std::set<std::int32_t> head;
    double mass = 0;
    for (std::size_t i = 0; i < sorted.size() && (i == 0 || mass < top_p * total); ++i) {
      head.insert(sorted[i].second);
      mass -= sorted[i].first;
    }
    SamplingOptions options = Plain();
    options.top_p = top_p;
    EXPECT_EQ(Support(logits, options, 6000), head) << top_p;
  }
}

TEST(Sampler, MinPIsRelativeToTheBest) {
  SamplingOptions options = Plain();
  options.min_p = 0.4;  // 0.4 · 0.5 = 0.2
  ExpectDistribution(Count(LogOf({0.1, 0.5, 0.15, 0.25}), options), {0, 2.0 / 3, 0, 1.0 / 3});
  options.min_p = 1;
  EXPECT_EQ(Support({0, 2, 2}, options), (std::set<std::int32_t>{1, 2}));
}

TEST(Sampler, TopPCountsWhatTopKLeft) {
  // Of {.4, .3, .2, .1} top-k 3 leaves .444, .333, .222: 0.75 needs two. Of all four it would be three.
  SamplingOptions options = Plain();
  options.top_k = 3;
  options.top_p = 0.75;
  EXPECT_EQ(Support(LogOf({0.4, 0.3, 0.2, 0.1}), options), (std::set<std::int32_t>{0, 1}));
}

TEST(Sampler, NanIsNeverDrawnAndNothingFiniteIsSaid) {
  EXPECT_EQ(Support({kNan, 1, kNan, 1, -kInfinity}, Plain()), (std::set<std::int32_t>{1, 3}));
  SamplingOptions all = {.temperature = 0.7, .top_p = 0.9, .top_k = 3, .min_p = 0.01, .seed = std::nullopt};
  EXPECT_EQ(Support({kNan, 1, kNan, 1, -kInfinity}, all), (std::set<std::int32_t>{1, 3}));
  EXPECT_EQ(Support({0, kInfinity, 5}, all), std::set<std::int32_t>{1});
  Sampler sampler(2);
  UniformSource random(1);
  EXPECT_FALSE(sampler.Sample(std::vector<float>{kNan, kNan}, all, random).has_value());
  EXPECT_FALSE(sampler.Sample(std::vector<float>{-kInfinity, kNan}, all, random).has_value());
  EXPECT_FALSE(sampler.Sample(std::vector<float>{}, all, random).has_value());
}

TEST(Sampler, OneDrawPerTokenWhateverTheOptions) {
  const std::vector<float> logits = {1, 2, 3};
  for (const std::int32_t top_k : {0, 1, 2}) {
    Sampler sampler(3);
    UniformSource random(9), reference(9);
    SamplingOptions options = Plain();
    options.top_k = top_k;
    sampler.Sample(logits, options, random);
    reference.NextBits();
    EXPECT_EQ(random.NextBits(), reference.NextBits()) << top_k;
  }
}

TEST(ValidateSampling, NamesTheOptionAndWhatWasGiven) {
  EXPECT_TRUE(ValidateSampling({}).has_value());
  for (const auto& [options, name] :
       std::vector<std::pair<SamplingOptions, std::string>>{{{.temperature = -0.1}, "temperature"},
                                                            {{.temperature = std::nan("")}, "temperature"},
                                                            {{.temperature = 101}, "temperature"},
                                                            {{.top_p = 1.5}, "top_p"},
                                                            {{.top_k = -1}, "top_k"},
                                                            {{.min_p = -1}, "min_p"}}) {
    const Status status = ValidateSampling(options);
    ASSERT_FALSE(status.has_value()) << name;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(status.error().message.find(name), std::string::npos) << status.error().message;
  }
}

}  // namespace
}  // namespace gptoss
