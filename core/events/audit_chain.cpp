// SPDX-License-Identifier: MIT
#include "events/audit_chain.h"

#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "platform/replace_file.h"

namespace snakepit::shm {

namespace {

constexpr std::string_view kHeadTitle = "snakepit-shm audit head 1";
constexpr std::string_view kCheckpointTitle = "snakepit-shm checkpoint 1";

// Removes the line "name value\n" from the start of `text`, and returns its value.
std::optional<std::string> take_line(std::string_view& text, std::string_view name) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos || !text.starts_with(name) || text.size() <= name.size() ||
        text[name.size()] != ' ')
        return std::nullopt;
    std::string value(text.substr(name.size() + 1, end - name.size() - 1));
    text.remove_prefix(end + 1);
    return value;
}

std::optional<std::int64_t> number(const std::optional<std::string>& text) {
    if (!text || text->empty() || text->size() > 18 ||
        text->find_first_not_of("0123456789") != std::string::npos)
        return std::nullopt;
    return std::stoll(*text);
}

}  // namespace

void RowDigest::begin(const Digest& previous) {
    bytes_.assign(reinterpret_cast<const char*>(previous.data()), previous.size());
}

void RowDigest::add_number(std::uint64_t value) {
    static_assert(std::endian::native == std::endian::little);  // as the digested bytes are
    char little[sizeof value];
    std::memcpy(little, &value, sizeof little);
    bytes_.append(little, sizeof little);
}

void RowDigest::add(std::int64_t value) {
    bytes_ += 'i';
    add_number(static_cast<std::uint64_t>(value));
}

void RowDigest::add_real(double value) {
    bytes_ += 'f';
    add_number(std::bit_cast<std::uint64_t>(value));
}

void RowDigest::add(char type, std::string_view bytes) {
    bytes_ += type;
    add_number(bytes.size());
    bytes_.append(bytes);
}

Digest RowDigest::finish() {
    sha_.add(bytes_);
    return sha_.finish();
}

Digest RowDigest::of(const Digest& previous, std::int64_t seq, std::string_view values) {
    begin(previous);
    add(seq);
    bytes_.append(values);
    return finish();
}

bool Checkpoint::anchor() const {
    return reason == checkpoint_reason::migration || reason == checkpoint_reason::retention ||
           reason == checkpoint_reason::missing;
}

std::string Checkpoint::signed_bytes() const {
    return fmt::format("{}\n{}\n{}\n{}\n{}\n", kCheckpointTitle, at.seq, to_hex(at.chain),
                       time.micros, reason);
}

Status Checkpoint::sign(const SigningKey& key) {
    const auto text = signed_bytes();
    SHM_ASSIGN(signature, key.sign(std::as_bytes(std::span(text))));
    return {};
}

bool Checkpoint::genuine(const PublicKey& key) const {
    const auto text = signed_bytes();
    return verify(key, std::as_bytes(std::span(text)), signature);
}

Result<std::optional<Checkpoint>> read_head(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file.is_open()) return std::optional<Checkpoint>{};
    const std::string whole((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    std::string_view text(whole);
    Checkpoint head;
    head.reason = checkpoint_reason::head;
    const bool titled = text.starts_with(kHeadTitle) && text.size() > kHeadTitle.size();
    if (titled) text.remove_prefix(kHeadTitle.size() + 1);
    const auto seq = number(take_line(text, "seq"));
    const auto chain = take_line(text, "chain");
    const auto time = number(take_line(text, "time"));
    const auto signature = take_line(text, "signature");
    if (!titled || !seq || !time || !chain || !from_hex(*chain, head.at.chain) || !signature ||
        !from_hex(*signature, head.signature) || !text.empty())
        return fail(ErrorCode::corruption_detected, fmt::format("{} is not an audit head", path),
                    "another program changed it; check where the signed history ends");
    head.at.seq = *seq;
    head.time.micros = *time;
    return head;
}

Status write_head(const std::string& path, const Checkpoint& head) {
    return replace_file(
        path,
        fmt::format("{}\nseq {}\nchain {}\ntime {}\nsignature {}\n", kHeadTitle, head.at.seq,
                    to_hex(head.at.chain), head.time.micros, to_hex(head.signature)),
        0600);
}

}  // namespace snakepit::shm
