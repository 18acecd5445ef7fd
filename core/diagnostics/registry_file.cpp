// SPDX-License-Identifier: MIT
#include "diagnostics/registry_file.h"

#include <algorithm>
#include <cstring>

#include "layout/registry_reader.h"
#include "platform/process.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr int kReadAttempts = 64;

}  // namespace

bool SlotCopy::intact() const {
    const auto word_now = control();
    return static_cast<std::uint8_t>(word_now.state) <=
               static_cast<std::uint8_t>(SlotState::stashed) &&
           named() && current().checksum == checksum_of(current()) &&
           current().generation == word_now.generation;
}

Result<RegistryFile> RegistryFile::open(const std::string& path) {
    SHM_TRY(RegistryReader::open(path));
    RegistryFile out;
    SHM_ASSIGN(out.file_, MappedFile::open_read_only(path, kRegistrySizes));
    out.view_ = RegistryView<const std::byte>(out.file_.data());
    return out;
}

std::string RegistryFile::instance() const {
    const auto& name = view_.header().instance;
    return {name, ::strnlen(name, sizeof name)};
}

bool RegistryFile::of_this_boot() const {
    const auto boot = boot_id();
    return !boot || std::memcmp(view_.header().boot_id, boot->data(), boot->size()) == 0;
}

std::uint32_t RegistryFile::frontier() const {
    const auto size = size_of(file_.handle()).value_or(file_.size());
    return std::min(view_.state().frontier.load(std::memory_order_acquire),
                    RegistryOffsets::slots_in(size));
}

// As RegistryReader::read: the control word before and after must agree.
std::optional<SlotCopy> RegistryFile::slot(std::uint32_t index) const {
    const auto& shared = view_.slot(index);
    for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
        SlotCopy out;
        out.word = word(index);
        load_words(out.fixed, shared.fixed);
        load_words(out.body[0], shared.body[0]);
        load_words(out.body[1], shared.body[1]);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (shared.control.load(std::memory_order_relaxed) == out.word) return out;
    }
    return std::nullopt;
}

std::vector<ClientRow> RegistryFile::clients() const {
    std::vector<ClientRow> out;
    const auto end =
        std::min(view_.state().client_frontier.load(std::memory_order_acquire), kMaxClients);
    for (std::uint32_t i = 0; i < end; ++i) {
        ClientRow row;
        load_words(row, view_.client(i));
        if (row.serial != 0) out.push_back(row);
    }
    return out;
}

}  // namespace snakepit::shm
