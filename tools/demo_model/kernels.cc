// The passes between the matrix products of the training step, each once over the memory. Built by model.py
// through torch.utils.cpp_extension; BF16 in and out, sums in float. Shapes: n rows of tokens (a shared
// prefix of P, then N branches of L), KV key heads with G query heads each, D values per head.
#include <torch/extension.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using torch::Tensor;
using Half = uint16_t;

constexpr int kPadding =
    32;  // rows per expert are padded to a multiple, so that few shapes of products occur

inline float Load(Half h) {
  const uint32_t bits = static_cast<uint32_t>(h) << 16;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

inline Half Store(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  return static_cast<Half>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

Half* Halves(const Tensor& t) {
  TORCH_CHECK(t.is_contiguous() && t.scalar_type() == torch::kBFloat16);
  return reinterpret_cast<Half*>(t.data_ptr());
}
float* Floats(const Tensor& t) {
  TORCH_CHECK(t.is_contiguous() && t.scalar_type() == torch::kFloat);
  return t.data_ptr<float>();
}

template <typename F>
void Parallel(int64_t n, const F& body) {
  at::parallel_for(0, n, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) body(i);
  });
}

std::vector<Tensor> NormForward(const Tensor& x, const Tensor& gain, double eps) {
  const int64_t n = x.size(0), h = x.size(1);
  Tensor y = torch::empty({n, h}, x.options().dtype(torch::kBFloat16)), r = torch::empty({n}, x.options());
  const float *in = Floats(x), *g = Floats(gain);
  Half* out = Halves(y);
  float* scale = Floats(r);
  Parallel(n, [&](int64_t i) {
    const float* row = in + i * h;
    float sum = 0;
    for (int64_t j = 0; j < h; ++j) sum += row[j] * row[j];
    const float s = 1 / std::sqrt(sum / h + static_cast<float>(eps));
    scale[i] = s;
    for (int64_t j = 0; j < h; ++j) out[i * h + j] = Store(row[j] * s * g[j]);
  });
  return {y, r};
}

std::vector<Tensor> NormBackward(const Tensor& dy, const Tensor& x, const Tensor& gain, const Tensor& r) {
  const int64_t n = x.size(0), h = x.size(1);
  Tensor dx = torch::empty_like(x), dgain = torch::zeros_like(gain);
  const float *in = Floats(x), *g = Floats(gain), *scale = Floats(r);
  const Half* d = Halves(dy);
  float *out = Floats(dx), *dg = Floats(dgain);
  for (int64_t i = 0; i < n; ++i) {
    const float *row = in + i * h, s = scale[i];
    const Half* dr = d + i * h;
    float dot = 0;
    for (int64_t j = 0; j < h; ++j) {
      const float v = Load(dr[j]);
      dot += v * g[j] * row[j];
      dg[j] += v * row[j] * s;
    }
    const float back = dot * s * s * s / h;
    for (int64_t j = 0; j < h; ++j) out[i * h + j] = Load(dr[j]) * g[j] * s - row[j] * back;
  }
  return {dx, dgain};
}

struct Shape {
  int64_t p, n, l, kv, g;
  static constexpr int64_t d = 64;
  int64_t width() const { return (kv * g + 2 * kv) * d; }
};

// Calls body(row of the flat list, position, q base index per kv head in its segment, segment) for every
// token.
template <bool kForward>
void RopeAll(const Shape& s, const float* cos, const float* sin, Half* flat, Half* const* q, Half* const* k,
             Half* const* v) {
  constexpr int64_t d = Shape::d, half = d / 2;
  Parallel(s.p + s.n * s.l, [&](int64_t row) {
    const bool own = row >= s.p;
    const int64_t b = own ? (row - s.p) / s.l : 0, t = own ? (row - s.p) % s.l : row;
    const int64_t count = own ? s.n : 1, length = own ? s.l : s.p, position = own ? s.p + t : t;
    const float *c = cos + position * half, *z = sin + position * half;
    const auto turn = [&](Half* f, Half* o) {
      for (int64_t j = 0; j < half; ++j) {
        if constexpr (kForward) {
          const float a = Load(f[j]), e = Load(f[j + half]);
          o[j] = Store(a * c[j] - e * z[j]);
          o[j + half] = Store(e * c[j] + a * z[j]);
        } else {
          const float a = Load(o[j]), e = Load(o[j + half]);
          f[j] = Store(a * c[j] + e * z[j]);
          f[j + half] = Store(e * c[j] - a * z[j]);
        }
      }
    };
    Half* line = flat + row * s.width();
    for (int64_t h = 0; h < s.kv; ++h) {
      const int64_t base = (h * count + b) * length;
      for (int64_t g = 0; g < s.g; ++g)
        turn(line + (h * s.g + g) * d, q[own] + (base * s.g + g * length + t) * d);
      turn(line + (s.kv * s.g + h) * d, k[own] + (base + t) * d);
      Half *fv = line + (s.kv * s.g + s.kv + h) * d, *ov = v[own] + (base + t) * d;
      if constexpr (kForward)
        std::memcpy(ov, fv, d * sizeof(Half));
      else
        std::memcpy(fv, ov, d * sizeof(Half));
    }
  });
}

// qkv [n, (KV*G + 2*KV) * D] -> prefix q [KV, G*P, D], k, v [KV, P, D]; branches q [KV, N*G*L, D], k, v
// [KV*N, L, D]
std::vector<Tensor> RopeForward(const Tensor& qkv, const Tensor& cos, const Tensor& sin, int64_t p, int64_t n,
                                int64_t l, int64_t kv, int64_t g) {
  const Shape s{p, n, l, kv, g};
  const auto o = qkv.options();
  std::vector<Tensor> t = {torch::empty({kv, g * p, Shape::d}, o), torch::empty({kv, p, Shape::d}, o),
                           torch::empty({kv, p, Shape::d}, o),     torch::empty({kv, n * g * l, Shape::d}, o),
                           torch::empty({kv * n, l, Shape::d}, o), torch::empty({kv * n, l, Shape::d}, o)};
  Half *q[] = {Halves(t[0]), Halves(t[3])}, *k[] = {Halves(t[1]), Halves(t[4])},
       *v[] = {Halves(t[2]), Halves(t[5])};
  RopeAll<true>(s, Floats(cos), Floats(sin), Halves(qkv), q, k, v);
  return t;
}

Tensor RopeBackward(const std::vector<Tensor>& t, const Tensor& cos, const Tensor& sin, int64_t p, int64_t n,
                    int64_t l, int64_t kv, int64_t g) {
  const Shape s{p, n, l, kv, g};
  Tensor out = torch::empty({p + n * l, s.width()}, t[0].options());
  Half *q[] = {Halves(t[0]), Halves(t[3])}, *k[] = {Halves(t[1]), Halves(t[4])},
       *v[] = {Halves(t[2]), Halves(t[5])};
  RopeAll<false>(s, Floats(cos), Floats(sin), Halves(out), q, k, v);
  return out;
}

// Scores become probabilities in place. before [KV, N*G*L, P] (P may be 0), own [KV*N, G*L, L]. The first
// `skip` keys are padding. Returns the share of the sink per row.
Tensor SoftmaxForward(const Tensor& before, const Tensor& own, const Tensor& sinks, int64_t n, int64_t g,
                      int64_t l, int64_t window, int64_t skip, double scale) {
  const int64_t p = before.numel() == 0 ? 0 : before.size(2), rows = own.size(0) * g * l,
                kv = own.size(0) / n;
  Tensor shares = torch::empty({kv, n, g, l}, own.options().dtype(torch::kFloat));
  float *out = Floats(shares), *sink = Floats(sinks);
  Half *sp = p == 0 ? nullptr : Halves(before), *so = Halves(own);
  at::parallel_for(0, rows, 16, [&](int64_t start, int64_t end) {
    std::vector<float> buffer(p + l);
    for (int64_t row = start; row < end; ++row) {
      const int64_t t = row % l, head = row / (n * g * l) * g + row / l % g;
      const int64_t first = std::max(p == 0 ? skip : int64_t{0}, t - window + 1);
      const int64_t from = std::min(p, std::max(skip, p + t - window + 1));
      Half *a = sp + row * p, *b = so + row * l;
      float *e = buffer.data(), top = sink[head];
      const float f = static_cast<float>(scale);
      const int64_t np = p - from, no = std::max(int64_t{0}, t + 1 - first);
      for (int64_t j = 0; j < np; ++j) e[j] = Load(a[from + j]) * f;
      for (int64_t j = 0; j < no; ++j) e[np + j] = Load(b[first + j]) * f;
      for (int64_t j = 0; j < np + no; ++j) top = std::max(top, e[j]);
      float sum = 0;
      for (int64_t j = 0; j < np + no; ++j) {
        e[j] = expf(e[j] - top);
        sum += e[j];
      }
      const float s = expf(sink[head] - top), r = 1 / (sum + s);
      out[row] = s * r;
      std::memset(a, 0, from * sizeof(Half));
      for (int64_t j = 0; j < np; ++j) a[from + j] = Store(e[j] * r);
      std::memset(b, 0, l * sizeof(Half));
      for (int64_t j = 0; j < no; ++j) b[first + j] = Store(e[np + j] * r);
    }
  });
  return shares;
}

// d_before, d_own: gradients of the probabilities, become gradients of the raw scores in place. Returns that
// of the sinks.
Tensor SoftmaxBackward(const Tensor& before, const Tensor& own, const Tensor& d_before, const Tensor& d_own,
                       const Tensor& shares, int64_t n, int64_t g, int64_t l, double scale) {
  const int64_t p = before.numel() == 0 ? 0 : before.size(2), rows = own.size(0) * g * l,
                kv = own.size(0) / n;
  Tensor lost = torch::empty_like(shares);
  float *out = Floats(lost), *share = Floats(shares);
  const Half *pp = p == 0 ? nullptr : Halves(before), *po = Halves(own);
  Half *dp = p == 0 ? nullptr : Halves(d_before), *d_o = Halves(d_own);
  at::parallel_for(0, rows, 16, [&](int64_t start, int64_t end) {
    for (int64_t row = start; row < end; ++row) {
      const Half *a = pp + row * p, *b = po + row * l;
      Half *da = dp + row * p, *db = d_o + row * l;
      float dot = 0;
      const float f = static_cast<float>(scale);
      for (int64_t j = 0; j < p; ++j) dot += Load(a[j]) * Load(da[j]);
      for (int64_t j = 0; j < l; ++j) dot += Load(b[j]) * Load(db[j]);
      for (int64_t j = 0; j < p; ++j) da[j] = Store(Load(a[j]) * (Load(da[j]) - dot) * f);
      for (int64_t j = 0; j < l; ++j) db[j] = Store(Load(b[j]) * (Load(db[j]) - dot) * f);
      out[row] = -share[row] * dot;
    }
  });
  return lost.sum({1, 3}).reshape({kv * g});
}

// chosen [n, 2] -> per slot its token (padding: -1), per token its slots [n, 2], and where each expert's
// slots begin.
std::vector<Tensor> Route(const Tensor& chosen, int64_t experts) {
  const int64_t n = chosen.size(0), k = chosen.size(1);
  const Tensor c = chosen.contiguous();
  const int64_t* e = c.data_ptr<int64_t>();
  std::vector<int64_t> count(experts), at(experts);
  for (int64_t i = 0; i < n * k; ++i) ++count[e[i]];
  Tensor begins = torch::zeros({experts + 1}, torch::kLong);
  int64_t* begin = begins.data_ptr<int64_t>();
  for (int64_t i = 0; i < experts; ++i) {
    at[i] = begin[i];
    begin[i + 1] = begin[i] + (count[i] + kPadding - 1) / kPadding * kPadding;
  }
  Tensor tokens = torch::full({begin[experts]}, -1, torch::kLong), slots = torch::empty({n, k}, torch::kLong);
  for (int64_t i = 0; i < n * k; ++i) {
    const int64_t slot = at[e[i]]++;
    tokens.data_ptr<int64_t>()[slot] = i / k;
    slots.data_ptr<int64_t>()[i] = slot;
  }
  return {tokens, slots, begins};
}

Tensor Gather(const Tensor& x, const Tensor& tokens) {
  const int64_t h = x.size(1), m = tokens.size(0);
  Tensor y = torch::empty({m, h}, x.options());
  const Half* in = Halves(x);
  Half* out = Halves(y);
  const int64_t* t = tokens.data_ptr<int64_t>();
  Parallel(m, [&](int64_t i) {
    if (t[i] < 0)
      std::memset(out + i * h, 0, h * sizeof(Half));
    else
      std::memcpy(out + i * h, in + t[i] * h, h * sizeof(Half));
  });
  return y;
}

// sum over k of weight[n, k] * y[slots[n, k]] (all weights 1 if weight is empty), float
Tensor Combine(const Tensor& y, const Tensor& slots, const Tensor& weight) {
  const int64_t h = y.size(1), n = slots.size(0), k = slots.size(1);
  const bool weighted = weight.numel() > 0;
  Tensor sum = torch::empty({n, h}, y.options().dtype(torch::kFloat));
  const Half* in = Halves(y);
  float* out = Floats(sum);
  const float* w = weighted ? Floats(weight) : nullptr;
  const int64_t* s = slots.data_ptr<int64_t>();
  Parallel(n, [&](int64_t i) {
    float* row = out + i * h;
    for (int64_t j = 0; j < h; ++j) row[j] = 0;
    for (int64_t e = 0; e < k; ++e) {
      const Half* from = in + s[i * k + e] * h;
      const float f = weighted ? w[i * k + e] : 1;
      for (int64_t j = 0; j < h; ++j) row[j] += f * Load(from[j]);
    }
  });
  return sum;
}

// gradients of Combine: of y (slots that are padding get 0) and of the weights
std::vector<Tensor> CombineBackward(const Tensor& d, const Tensor& y, const Tensor& slots,
                                    const Tensor& weight) {
  const int64_t h = y.size(1), n = slots.size(0), k = slots.size(1);
  Tensor dy = torch::zeros_like(y), dw = torch::empty_like(weight);
  const Half* in = Halves(y);
  Half* out = Halves(dy);
  const float *g = Floats(d), *w = Floats(weight);
  float* ow = Floats(dw);
  const int64_t* s = slots.data_ptr<int64_t>();
  Parallel(n, [&](int64_t i) {
    for (int64_t e = 0; e < k; ++e) {
      const int64_t at = s[i * k + e] * h;
      float dot = 0;
      for (int64_t j = 0; j < h; ++j) {
        dot += g[i * h + j] * Load(in[at + j]);
        out[at + j] = Store(w[i * k + e] * g[i * h + j]);
      }
      ow[i * k + e] = dot;
    }
  });
  return {dy, dw};
}

constexpr float kLimit = 7.0F, kAlpha = 1.702F;

// z [m, 2W]: gate, up -> the clamped SwiGLU [m, W]
Tensor SwigluForward(const Tensor& z) {
  const int64_t m = z.size(0), w = z.size(1) / 2;
  Tensor y = torch::empty({m, w}, z.options());
  const Half* in = Halves(z);
  Half* out = Halves(y);
  Parallel(m, [&](int64_t i) {
    for (int64_t j = 0; j < w; ++j) {
      const float g = std::min(Load(in[i * 2 * w + j]), kLimit);
      const float u = std::max(std::min(Load(in[i * 2 * w + w + j]), kLimit), -kLimit);
      out[i * w + j] = Store(g / (1 + expf(-kAlpha * g)) * (u + 1));
    }
  });
  return y;
}

Tensor SwigluBackward(const Tensor& dy, const Tensor& z) {
  const int64_t m = z.size(0), w = z.size(1) / 2;
  Tensor dz = torch::empty_like(z);
  const Half *in = Halves(z), *d = Halves(dy);
  Half* out = Halves(dz);
  Parallel(m, [&](int64_t i) {
    for (int64_t j = 0; j < w; ++j) {
      const float g0 = Load(in[i * 2 * w + j]), u0 = Load(in[i * 2 * w + w + j]), e = Load(d[i * w + j]);
      const float g = std::min(g0, kLimit), u = std::max(std::min(u0, kLimit), -kLimit);
      const float s = 1 / (1 + expf(-kAlpha * g));
      out[i * 2 * w + j] = Store(g0 > kLimit ? 0 : e * (u + 1) * s * (1 + kAlpha * g * (1 - s)));
      out[i * 2 * w + w + j] = Store(u0 > kLimit || u0 < -kLimit ? 0 : e * g * s);
    }
  });
  return dz;
}

// The values that MXFP4 would hold, for [rows, K]: per 32 one power of two, the better of two.
Tensor Mxfp4(const Tensor& w) {
  Tensor out = torch::empty_like(w);
  const float* in = Floats(w);
  float* o = Floats(out);
  const auto rounded = [](float a) {  // nearest of 0 0.5 1 1.5 2 3 4 6; a middle goes to the lower one
    const float step = a <= 2 ? 0.5F : a <= 4 ? 1.0F : 2.0F;
    return std::min(std::ceil(a / step - 0.5F) * step, 6.0F);
  };
  Parallel(w.numel() / 32, [&](int64_t i) {
    const float* x = in + i * 32;
    float top = 7.8886e-31F;
    for (int j = 0; j < 32; ++j) top = std::max(top, std::fabs(x[j]));
    const float low = std::exp2(std::floor(std::log2(top / 6)));
    float best = -1, error[2] = {0, 0};
    for (int k = 0; k < 2; ++k) {
      const float s = low * static_cast<float>(1 + k);
      for (int j = 0; j < 32; ++j) {
        const float a = std::fabs(x[j]) / s, d = (rounded(a) - a) * s;
        error[k] += d * d;
      }
    }
    best = error[1] < error[0] ? low * 2 : low;
    for (int j = 0; j < 32; ++j) o[i * 32 + j] = std::copysign(rounded(std::fabs(x[j]) / best) * best, x[j]);
  });
  return out;
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("norm_forward", &NormForward);
  m.def("norm_backward", &NormBackward);
  m.def("rope_forward", &RopeForward);
  m.def("rope_backward", &RopeBackward);
  m.def("softmax_forward", &SoftmaxForward);
  m.def("softmax_backward", &SoftmaxBackward);
  m.def("route", &Route);
  m.def("gather", &Gather);
  m.def("combine", &Combine);
  m.def("combine_backward", &CombineBackward);
  m.def("swiglu_forward", &SwigluForward);
  m.def("swiglu_backward", &SwigluBackward);
  m.def("mxfp4", &Mxfp4);
}
