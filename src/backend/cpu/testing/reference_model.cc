#include "backend/cpu/testing/reference_model.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace gptoss::testing {
namespace {

using Vector = std::vector<double>;

std::size_t S(std::int64_t i) { return static_cast<std::size_t>(i); }

Vector Decode(const MatrixView& m) {
  Vector all(S(m.rows * m.cols));
  for (std::int64_t r = 0; r < m.rows; ++r) DecodeRow(m, r, &all[S(r * m.cols)]);
  return all;
}

// y = W x + b
Vector Times(const Vector& w, const double* x, std::int64_t rows, std::int64_t cols, const float* bias) {
  Vector y(S(rows));
  for (std::int64_t r = 0; r < rows; ++r) {
    double sum = bias == nullptr ? 0 : bias[r];
    for (std::int64_t c = 0; c < cols; ++c) sum += w[S(r * cols + c)] * x[c];
    y[S(r)] = sum;
  }
  return y;
}

Vector Norm(const double* x, const std::vector<float>& gain, double eps) {
  double square = 0;
  for (std::size_t i = 0; i < gain.size(); ++i) square += x[i] * x[i];
  const double scale = 1 / std::sqrt(square / static_cast<double>(gain.size()) + eps);
  Vector y(gain.size());
  for (std::size_t i = 0; i < gain.size(); ++i) y[i] = x[i] * scale * gain[i];
  return y;
}

// Written from the paper's formula once more, not from rope.cc.
void Rotate(double* head, std::int64_t d, std::int64_t position, const RopeConfig& rope) {
  const auto correction = [&](double beta) {
    return static_cast<double>(d) * std::log(rope.original_context / (beta * 2 * std::numbers::pi)) / 2 /
           std::log(rope.theta);
  };
  double low = correction(rope.beta_fast), high = correction(rope.beta_slow);
  if (rope.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, static_cast<double>(d) - 1);
  const double magnitude = rope.factor > 1 ? 1 + 0.1 * std::log(rope.factor) : 1;
  for (std::int64_t i = 0; i < d / 2; ++i) {
    const double plain = 1 / std::pow(rope.theta, 2.0 * static_cast<double>(i) / static_cast<double>(d));
    double mix =
        rope.factor > 1 ? std::min(1.0, std::max(0.0, (static_cast<double>(i) - low) / (high - low))) : 0;
    const double angle = static_cast<double>(position) * (plain * (1 - mix) + plain / rope.factor * mix);
    const double a = head[i], b = head[i + d / 2];
    head[i] = magnitude * (a * std::cos(angle) - b * std::sin(angle));
    head[i + d / 2] = magnitude * (b * std::cos(angle) + a * std::sin(angle));
  }
}

class Reference {
 public:
  Reference(const Model& model, const std::vector<std::int32_t>& ids) : m_(model), c_(model.config) {
    for (const std::int32_t id : ids) {
      x_.emplace_back(S(c_.hidden));
      DecodeRow(m_.embedding, id, x_.back().data());
    }
  }

  void Layer(std::int64_t index, LayerTrace* trace) {
    Attention(m_.layers[S(index)], c_.layer_types[S(index)] == LayerType::kSlidingWindow);
    for (Vector& x : x_) Experts(m_.layers[S(index)], x, trace);
    if (trace == nullptr) return;
    for (const Vector& x : x_) trace->hidden.insert(trace->hidden.end(), x.begin(), x.end());
  }

  Vector Logits(const std::vector<std::int64_t>& positions) const {
    const Vector head = Decode(m_.unembedding);
    Vector all;
    for (const std::int64_t p : positions) {
      const Vector normed = Norm(x_[S(p)].data(), m_.final_norm, c_.rms_eps);
      const Vector logits = Times(head, normed.data(), c_.vocab, c_.hidden, nullptr);
      all.insert(all.end(), logits.begin(), logits.end());
    }
    return all;
  }

 private:
  void Attention(const LayerWeights& layer, bool window) {
    const std::int64_t d = c_.head_dim, group = c_.heads / c_.kv_heads;
    const Vector wq = Decode(layer.q), wk = Decode(layer.k), wv = Decode(layer.v), wo = Decode(layer.o);
    std::vector<Vector> q, k, v;
    for (std::size_t t = 0; t < x_.size(); ++t) {
      const Vector h = Norm(x_[t].data(), layer.attention_norm, c_.rms_eps);
      q.push_back(Times(wq, h.data(), c_.heads * d, c_.hidden, layer.q_bias.data()));
      k.push_back(Times(wk, h.data(), c_.kv_heads * d, c_.hidden, layer.k_bias.data()));
      v.push_back(Times(wv, h.data(), c_.kv_heads * d, c_.hidden, layer.v_bias.data()));
      for (std::int64_t i = 0; i < c_.heads; ++i)
        Rotate(&q[t][S(i * d)], d, static_cast<std::int64_t>(t), c_.rope);
      for (std::int64_t i = 0; i < c_.kv_heads; ++i)
        Rotate(&k[t][S(i * d)], d, static_cast<std::int64_t>(t), c_.rope);
    }
    for (std::size_t t = 0; t < x_.size(); ++t) {
      Vector out(S(c_.heads * d), 0.0);
      const std::size_t from = window && static_cast<std::int64_t>(t) >= c_.window ? t + 1 - S(c_.window) : 0;
      for (std::int64_t h = 0; h < c_.heads; ++h) {
        Vector weight;
        double sum = std::exp(double{layer.sinks[S(h)]});
        for (std::size_t j = from; j <= t; ++j) {
          double dot = 0;
          for (std::int64_t i = 0; i < d; ++i) dot += q[t][S(h * d + i)] * k[j][S(h / group * d + i)];
          weight.push_back(std::exp(dot / std::sqrt(static_cast<double>(d))));
          sum += weight.back();
        }
        for (std::size_t j = from; j <= t; ++j) {
          for (std::int64_t i = 0; i < d; ++i)
            out[S(h * d + i)] += weight[j - from] / sum * v[j][S(h / group * d + i)];
        }
      }
      const Vector projected = Times(wo, out.data(), c_.hidden, c_.heads * d, layer.o_bias.data());
      for (std::size_t i = 0; i < projected.size(); ++i) x_[t][i] += projected[i];
    }
  }

  void Experts(const LayerWeights& layer, Vector& x, LayerTrace* trace) const {
    const Vector h = Norm(x.data(), layer.mlp_norm, c_.rms_eps);
    const Vector scores =
        Times(Decode(layer.router), h.data(), c_.experts, c_.hidden, layer.router_bias.data());
    std::vector<std::int64_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) {
      return scores[S(a)] > scores[S(b)] || (scores[S(a)] == scores[S(b)] && a < b);
    });
    double sum = 0;
    for (std::int64_t i = 0; i < c_.experts_per_token; ++i) sum += std::exp(scores[S(order[S(i)])]);
    for (std::int64_t i = 0; i < c_.experts_per_token; ++i) {
      const std::int64_t e = order[S(i)];
      const double weight = std::exp(scores[S(e)]) / sum;
      if (trace != nullptr) trace->experts.push_back(e), trace->expert_weights.push_back(weight);
      const Vector gate = Times(Decode(layer.gate.of(e)), h.data(), c_.expert_width, c_.hidden,
                                &layer.gate_bias[S(e * c_.expert_width)]);
      const Vector up = Times(Decode(layer.up.of(e)), h.data(), c_.expert_width, c_.hidden,
                              &layer.up_bias[S(e * c_.expert_width)]);
      Vector a(gate.size());
      for (std::size_t j = 0; j < a.size(); ++j) {
        const double g = std::min(gate[j], c_.swiglu_limit);
        const double u = std::min(std::max(up[j], -c_.swiglu_limit), c_.swiglu_limit);
        a[j] = g / (1 + std::exp(-c_.swiglu_alpha * g)) * (u + 1);
      }
      const Vector y = Times(Decode(layer.down.of(e)), a.data(), c_.hidden, c_.expert_width,
                             &layer.down_bias[S(e * c_.hidden)]);
      for (std::size_t j = 0; j < y.size(); ++j) x[j] += weight * y[j];
    }
  }

  const Model& m_;
  const ModelConfig& c_;
  std::vector<Vector> x_;
};

}  // namespace

std::vector<double> ReferenceLogits(const Model& model, const std::vector<std::int32_t>& ids,
                                    const std::vector<std::int64_t>& positions,
                                    std::vector<LayerTrace>* trace) {
  Reference reference(model, ids);
  for (std::int64_t l = 0; l < model.config.layers; ++l) {
    if (trace != nullptr) trace->emplace_back();
    reference.Layer(l, trace == nullptr ? nullptr : &trace->back());
  }
  return reference.Logits(positions);
}

}  // namespace gptoss::testing
