"""Makes fixtures/gguf/: a block file for each format, and a tiny random model for each architecture, out of
fixtures/checkpoints/ (run make-checkpoints.py first), with the numbers of the gguf package and of transformers.

Run: .parity/venv/bin/python test/parity/make-gguf.py
"""

import base64
import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Format
from tokenizers import AddedToken
from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig, LlamaForCausalLM, Qwen2Tokenizer

HERE = Path(__file__).parent
CHECKPOINTS = HERE / "fixtures" / "checkpoints"
OUT = HERE / "fixtures" / "gguf"
NEW_TOKENS = 24

FORMATS = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
BLOCKS = 6

# The checkpoint, its architecture in GGUF, its pre-tokenizer, and the format of its matrices, whose rows of 32 values
# fill blocks of 32. Rows of 48 (down) and 24 do not, and stay float32.
MODELS = {
    "llama": ("llama3", "llama-bpe", Format.Q8_0),
    "qwen2": ("qwen2", "qwen2", Format.Q5_1),
    "qwen3": ("qwen3", "qwen2", Format.Q4_1),
}

# Models whose matrices are in blocks of 256, by their file: the format of rows that fill such blocks, and the one that
# llama.cpp falls back to for rows that do not.
K_MODELS = {
    "llama-q4_k": (Format.Q4_K, Format.Q5_0),
    "llama-q5_k": (Format.Q5_K, Format.Q5_1),
    "llama-q6_k": (Format.Q6_K, Format.Q8_0),
}

# Texts whose canonical composition is another text: accents, Hangul, the sign of ohm, marks in another order.
DECOMPOSED = ["e\u0301", "Cafe\u0301 e\u0301te\u0301", "\u1112\u1161\u11ab\u1100\u1173\u11af", "5 \u2126",
              "a\u0301\u0328 \u01eb\u0304", "<|im_start|>e\u0301<|im_end|>", "'S e\u0301\r\n\u0301 9\u0301"]


def encoded(array):
    """float32 as base64 of little-endian bytes, with its shape."""
    array = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(array.shape), "base64": base64.b64encode(array.tobytes()).decode()}


def random_blocks(name, random):
    """Random bits, whatever they mean; the scales are finite."""
    values, size = gguf.GGML_QUANT_SIZES[Format[name]]
    if name in ("F32", "F16", "BF16"):
        floats = random.normal(size=(BLOCKS * 32,)).astype(np.float32)
        return gguf.quantize(floats.reshape(1, -1), Format[name]).reshape(-1).view(np.uint8)
    blocks = random.integers(0, 256, size=(BLOCKS, size), dtype=np.uint8)
    scales = {"Q4_0": [0], "Q8_0": [0], "Q5_0": [0], "Q6_K": [208]}.get(name, [0, 2])
    for at in scales:
        # Small, large and negative ones, and one below the normal numbers.
        scale = (random.normal(size=BLOCKS) * 10.0 ** random.integers(-4, 3, size=BLOCKS)).astype("<f2")
        scale[0] = 3e-7
        blocks[:, at : at + 2] = scale.view(np.uint8).reshape(BLOCKS, 2)
    return blocks.reshape(-1)


def k_matrix(rows, width, format, random):
    """Random values about 0 with a deviation near 0.06, as blocks; the gguf package cannot make blocks of its own."""
    values, size = gguf.GGML_QUANT_SIZES[format]
    blocks = random.integers(0, 256, size=(rows, width // values, size), dtype=np.uint8)

    def scales(at, scale):
        spread = (scale * random.uniform(0.5, 1.5, size=blocks.shape[:2])).astype("<f2")
        blocks[..., at : at + 2] = spread[..., None].view(np.uint8)

    if format is Format.Q6_K:
        scales(208, 5e-5)
    else:
        middle = 7.5 if format is Format.Q4_K else 15.5
        scales(0, 1.8e-3 / middle)
        scales(2, 1.8e-3)
    return blocks.reshape(rows, -1)


def formats():
    random = np.random.default_rng(7)
    golden = {}
    for name in FORMATS:
        data = random_blocks(name, random)
        expected = gguf.dequantize(data.reshape(1, -1), Format[name]).reshape(-1)
        assert np.isfinite(expected).all()
        golden[name] = {
            "number": int(Format[name]),
            "bytes": base64.b64encode(data.tobytes()).decode(),
            "values": encoded(expected),
        }
    return golden


def permute(weights, heads):
    """LlamaModel.permute of llama.cpp's convert_hf_to_gguf.py."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def rope_factors(config):
    """generate_extra_tensors of LlamaModel in convert_hf_to_gguf.py."""
    rope = config.rope_parameters
    factor, low, high = rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"]
    positions, base, dim = rope["original_max_position_embeddings"], rope["rope_theta"], config.head_dim
    frequencies = 1.0 / (base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))
    factors = []
    for frequency in frequencies:
        wavelength = 2 * np.pi / frequency
        if wavelength < positions / high:
            factors.append(1)
        elif wavelength > positions / low:
            factors.append(factor)
        else:
            smooth = (positions / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def write_model(path, architecture):
    folder, pre, format = MODELS[architecture]
    source = CHECKPOINTS / folder
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()

    def store(name, weights):
        return (gguf.quantize(weights, format), format) if weights.shape[1] % 32 == 0 else (weights, None)

    write(path, model, architecture, source, pre, store)
    return model


def write_k_model(path, name):
    """A Llama whose matrices are random blocks, with the tokenizer of llama3."""
    format, fallback = K_MODELS[name]
    torch.manual_seed(20)
    config = LlamaConfig(vocab_size=305, hidden_size=256, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
                         head_dim=32, intermediate_size=64, max_position_embeddings=256, tie_word_embeddings=True,
                         rope_parameters={"rope_type": "default", "rope_theta": 1e4}, attn_implementation="eager")
    model = LlamaForCausalLM(config).eval()
    random = np.random.default_rng(int(format))

    def store(name, weights):
        if weights.shape[1] % 256 == 0:
            return k_matrix(*weights.shape, format, random), format
        return gguf.quantize(weights, fallback), fallback

    written = write(path, model, "llama", CHECKPOINTS / "llama3", "llama-bpe", store)
    digests = {key: hashlib.sha256(values.tobytes()).hexdigest() for key, values in written.items()}
    return model, digests


def write(path, model, architecture, source, pre, store):
    """
    Writes a model as llama.cpp's converter does, and gives it the values that the file holds.
    :param store: from a matrix to the blocks of its rows and their format, None for float32
    :returns: those values, by their names in the file, in the order of transformers
    """
    config, state = model.config, dict(model.state_dict())
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], config.num_hidden_layers)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if architecture == "llama":
        writer.add_rope_dimension_count(head_dim)
    if config.rope_parameters["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", rope_factors(config))
    if architecture == "qwen3" or head_dim * config.num_attention_heads != config.hidden_size:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    add_tokenizer(writer, source, pre, config.vocab_size)
    written = {}
    for name, tensor in state.items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        weights = tensor.numpy()
        stored, format = store(name, weights) if weights.ndim == 2 else (weights, None)
        if format is not None:
            # What transformers computes with is what the file holds.
            state[name].copy_(torch.from_numpy(gguf.dequantize(stored, format).copy()))
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            stored = permute(stored, heads)
        there = names.get_name(name, try_suffixes=(".weight", ".bias"))
        written[there] = state[name].numpy()
        writer.add_tensor(there, np.ascontiguousarray(stored), raw_dtype=format)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model.load_state_dict(state)
    return written


def add_tokenizer(writer, source, pre, rows):
    definition = json.loads((source / "tokenizer.json").read_text())
    config = json.loads((source / "tokenizer_config.json").read_text())
    vocab = dict(definition["model"]["vocab"])
    types = dict.fromkeys(vocab.values(), gguf.TokenType.NORMAL)
    for token in definition["added_tokens"]:
        vocab[token["content"]] = token["id"]
        types[token["id"]] = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
    tokens = {id: text for text, id in vocab.items()}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([tokens.get(i, f"[PAD{i}]") for i in range(rows)])
    writer.add_token_types([types.get(i, gguf.TokenType.UNUSED) for i in range(rows)])
    merges = definition["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_eos_token_id(vocab[config["eos_token"]])
    if config.get("bos_token"):
        writer.add_bos_token_id(vocab[config["bos_token"]])
        writer.add_add_bos_token(True)
    if config.get("pad_token"):
        writer.add_pad_token_id(vocab[config["pad_token"]])
    template = source / "chat_template.jinja"
    writer.add_chat_template(template.read_text() if template.exists() else config["chat_template"])


@torch.no_grad()
def golden(model, folder):
    numbers = json.loads((CHECKPOINTS / folder / "golden.json").read_text())
    prompts = [row["ids"] for row in numbers["rows"]]
    return {"checkpoint": folder, "rows": [logits(model, p) for p in prompts], "greedy": [greedy(model, p) for p in prompts]}


@torch.no_grad()
def logits(model, prompt):
    return {"ids": prompt, "logits": encoded(model(input_ids=torch.tensor([prompt])).logits[0])}


@torch.no_grad()
def greedy(model, prompt):
    model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=None, pad_token_id=0)
    out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)))
    new = out[0, len(prompt) :].tolist()
    top = model(input_ids=out).logits[0, len(prompt) - 1 : -1].topk(2).values
    margin = (top[:, 0] - top[:, 1]).min().item()
    return {"prompt": prompt, "ids": new, "margin": round(margin, 5)}


def k_golden(path, name):
    model, digests = write_k_model(path, name)
    prompts = [row["ids"] for row in json.loads((CHECKPOINTS / "llama3" / "golden.json").read_text())["rows"]]
    return {"weights": digests, "rows": [logits(model, prompts[0])], "greedy": [greedy(model, p) for p in prompts]}


def decomposed():
    """Ids of the class that transformers has for Qwen2, made of the vocabulary and the merges alone."""
    definition = json.loads((CHECKPOINTS / "qwen2" / "tokenizer.json").read_text())
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in definition["model"]["merges"]]
    tokenizer = Qwen2Tokenizer(vocab=dict(definition["model"]["vocab"]), merges=merges)
    tokenizer.add_tokens([AddedToken(t["content"], special=t["special"], normalized=False) for t in definition["added_tokens"]])
    return [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False)} for text in DECOMPOSED]


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    versions = {name: version(name) for name in ("gguf", "torch", "transformers", "numpy")}
    models = {}
    for architecture, (folder, _, _) in MODELS.items():
        model = write_model(OUT / f"{architecture}.gguf", architecture)
        models[architecture] = golden(model, folder)
        print(architecture, [g["margin"] for g in models[architecture]["greedy"]])
    k_models = {name: k_golden(OUT / f"{name}.gguf", name) for name in K_MODELS}
    for name, model in k_models.items():
        print(name, [g["margin"] for g in model["greedy"]])
    parts = {"versions": versions, "formats": formats(), "models": models, "kModels": k_models, "decomposed": decomposed()}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in parts.items())
    (OUT / "golden.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
