"""Writes a trained model in the layout of mlx-community/gpt-oss-20b-MXFP4-Q8. usage: export.py MODEL.pt OUT_FOLDER

Experts: MXFP4, the values that the quantization-aware part of the training saw. Everything else with two dimensions:
affine 8 bits in groups of 64.
"""
import json
import sys

import torch
from safetensors.torch import save_file

from model import mxfp4_codes


def pack_mxfp4(w):
    """[E, R, K] -> U32 [E, R, K/8] (lowest nibble first) and E8M0 bytes [E, R, K/32]."""
    codes, negative, exponent = mxfp4_codes(w.float())
    nibbles = (codes + 8 * negative.long()).reshape(*w.shape[:-1], -1, 8)
    shifts = torch.arange(8) * 4
    words = (nibbles << shifts).sum(-1)
    scales = (exponent.squeeze(-1) + 127).clamp(0, 254).to(torch.uint8)
    return to_u32(words), scales


def to_u32(words):
    return words.to(torch.int64).to(torch.uint32)


def pack_affine(w):
    """[R, K] -> U32 [R, K/4], BF16 scales and biases [R, K/64]; codes are chosen for the rounded scale and bias."""
    groups = w.float().reshape(w.shape[0], -1, 64)
    low, high = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    scale = ((high - low) / 255).clamp(min=1e-8).to(torch.bfloat16)
    bias = low.to(torch.bfloat16)
    codes = ((groups - bias.float()) / scale.float()).round().clamp(0, 255).long().reshape(w.shape[0], -1, 4)
    words = (codes << (torch.arange(4) * 8)).sum(-1)
    return to_u32(words), scale.squeeze(-1), bias.squeeze(-1)


def main():
    saved = torch.load(sys.argv[1], weights_only=False)
    c, state, out = saved["config"], saved["model"], sys.argv[2]
    tensors, modules = {}, {}

    def affine(name, w):
        tensors[name + ".weight"], tensors[name + ".scales"], tensors[name + ".biases"] = pack_affine(w)
        modules[name] = {"group_size": 64, "bits": 8, "mode": "affine"}

    def plain(name, w):
        tensors[name] = w.to(torch.bfloat16).contiguous()

    affine("model.embed_tokens", state["embed"])
    affine("lm_head", state["head"])
    plain("model.norm.weight", state["norm"])
    for i in range(c.layers):
        old, new = f"layers.{i}.", f"model.layers.{i}."
        plain(new + "input_layernorm.weight", state[old + "norm1"])
        plain(new + "post_attention_layernorm.weight", state[old + "norm2"])
        plain(new + "self_attn.sinks", state[old + "sinks"])
        for short in "qkvo":
            affine(new + f"self_attn.{short}_proj", state[old + short])
            plain(new + f"self_attn.{short}_proj.bias", state[old + short + "_bias"])
        affine(new + "mlp.router", state[old + "router"])
        plain(new + "mlp.router.bias", state[old + "router_bias"])
        for short in ("gate", "up", "down"):
            name = new + f"mlp.experts.{short}_proj"
            tensors[name + ".weight"], tensors[name + ".scales"] = pack_mxfp4(state[old + short])
            plain(name + ".bias", state[old + short + "_bias"])
    save_file(tensors, f"{out}/model.safetensors", metadata={"format": "mlx"})
    tokenizer = json.load(open(f"{out}/tokenizer.json", encoding="utf-8"))
    eos = [t["id"] for t in tokenizer["added_tokens"] if t["content"] in ("<|return|>", "<|call|>", "<|endoftext|>")]
    config = {
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "attention_bias": True, "eos_token_id": eos,
        "head_dim": c.head_dim, "hidden_act": "silu", "hidden_size": c.hidden, "initial_context_length": c.rope_original,
        "intermediate_size": c.width,
        "layer_types": ["sliding_attention" if c.is_window(i) else "full_attention" for i in range(c.layers)],
        "max_position_embeddings": 4096, "num_attention_heads": c.heads, "num_experts_per_tok": c.experts_per_token,
        "experts_per_token": c.experts_per_token, "num_hidden_layers": c.layers, "num_key_value_heads": c.kv_heads,
        "num_local_experts": c.experts, "rms_norm_eps": c.eps, "rope_theta": c.rope_theta,
        "rope_scaling": {"rope_type": "yarn", "factor": c.rope_factor, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
                         "original_max_position_embeddings": c.rope_original},
        "sliding_window": c.window, "swiglu_limit": c.limit, "tie_word_embeddings": False, "vocab_size": c.vocab,
        "quantization": {"group_size": 32, "bits": 4, "mode": "mxfp4", **modules},
    }
    with open(f"{out}/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
    print(f"{len(tensors)} tensors")


if __name__ == "__main__":
    main()
