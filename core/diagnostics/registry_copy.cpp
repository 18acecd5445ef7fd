// SPDX-License-Identifier: MIT
#include "diagnostics/registry_copy.h"

#include <algorithm>
#include <cstring>

namespace snakepit::shm {

using namespace layout;

namespace {

template <typename T>
void append(std::string& out, const T& value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Word by word, as they stand: each word is one moment's.
std::string words(const void* from, std::size_t size) {
    std::string out(size, '\0');
    const auto* shared = static_cast<const AliasWord*>(from);
    for (std::size_t i = 0; i < size / 8; ++i) {
        const std::uint64_t word = __atomic_load_n(shared + i, __ATOMIC_RELAXED);
        std::memcpy(out.data() + i * 8, &word, sizeof word);
    }
    return out;
}

// The body without metadata; its checksum stays right, or wrong.
void forget_metadata(SlotBody& body) {
    const bool sound = body.checksum == checksum_of(body);
    body.metadata_bytes = 0;
    if (sound) body.checksum = checksum_of(body);
}

class Copier {
  public:
    Copier(const RegistryFile& file, bool metadata, const RegistrySink& sink)
        : file_(file), view_(file.view()), metadata_(metadata), sink_(sink) {}

    Result<RegistryCopied> run() {
        RegistryHeader header;
        load_words(header, view_.header());
        std::string bytes;
        append(bytes, header);
        SHM_TRY(sink_(RegistryOffsets::header, bytes));
        SHM_TRY(sink_(RegistryOffsets::header_copy, bytes));
        const auto frontier = file_.frontier();
        for (std::uint32_t first = 0; first < frontier; first += kChunkSlots)
            SHM_TRY(chunk(first, std::min(kChunkSlots, frontier - first)));
        // Read after the slots, so that no slot has a number above it.
        SHM_TRY(sink_(RegistryOffsets::state, words(&view_.state(), sizeof(RegistryState))));
        SHM_TRY(sink_(RegistryOffsets::samples,
                      words(&view_.sample(0), kSampleCount * sizeof(Sample))));
        SHM_TRY(sink_(RegistryOffsets::timed,
                      words(&view_.timed(Timed{}), kTimed * sizeof(HistogramCells))));
        const auto clients =
            std::min(view_.state().client_frontier.load(std::memory_order_acquire), kMaxClients);
        if (clients > 0)
            SHM_TRY(sink_(RegistryOffsets::clients,
                          words(&view_.client(0), clients * sizeof(ClientRow))));
        return copied_;
    }

  private:
    Status chunk(std::uint32_t first, std::uint32_t count) {
        std::string slots, changes, stats, cells, names;
        for (auto i = first; i < first + count; ++i) {
            slot(i, slots);
            if (metadata_) take_metadata(i, i - first, cells);
            take_name(i, i - first, names);
            SlotStats each;
            load_words(each, view_.stats(i));
            append(stats, each);
            append(changes, view_.change(i).load(std::memory_order_acquire));
        }
        SHM_TRY(sink_(RegistryOffsets::slot(first), slots));
        SHM_TRY(sink_(RegistryOffsets::stats(first), stats));
        if (!cells.empty()) SHM_TRY(sink_(RegistryOffsets::metadata(first), cells));
        if (!names.empty()) SHM_TRY(sink_(RegistryOffsets::name(first), names));
        return sink_(RegistryOffsets::change(first), changes);
    }

    // A free slot keeps its control word only: its former contents are private.
    void slot(std::uint32_t index, std::string& out) {
        auto copy = file_.slot(index);
        const auto begin = out.size();
        append(out, copy ? copy->word : std::uint64_t{0});
        if (copy && copy->control().state != SlotState::free) {
            copied_.regions += copy->control().occupied() ? 1 : 0;
            copied_.with_metadata += metadata_of(*copy) > 0 ? 1 : 0;
            append(out, copy->fixed);
            for (auto& body : copy->body) {
                if (!metadata_) forget_metadata(body);
                append(out, body);
            }
        }
        out.resize(begin + sizeof(Slot), '\0');
    }

    static std::uint32_t metadata_of(const SlotCopy& copy) {
        return copy.control().occupied() ? copy.current().metadata_bytes : 0;
    }

    // The cell of a slot that has one, at its place among those of the chunk.
    void take_metadata(std::uint32_t index, std::uint32_t place, std::string& cells) {
        const auto copy = file_.slot(index);
        if (!copy || metadata_of(*copy) == 0) return;
        MetadataCell cell;
        load_words(cell, view_.metadata(index));
        // Behind its end an earlier region's metadata may remain.
        const auto end = std::min<std::size_t>(metadata_of(*copy), sizeof cell.text);
        std::memset(cell.text + end, 0, sizeof cell.text - end);
        cells.resize(place * sizeof(MetadataCell), '\0');
        append(cells, cell);
    }

    // A name is a label, as those of workers and sessions are.
    void take_name(std::uint32_t index, std::uint32_t place, std::string& names) {
        const auto copy = file_.slot(index);
        if (!copy || !copy->control().occupied() || copy->fixed.name_bytes == 0) return;
        NameCell cell;
        load_words(cell, view_.name(index));
        const auto end = std::min<std::size_t>(copy->fixed.name_bytes, sizeof cell.text);
        std::memset(cell.text + end, 0, sizeof cell.text - end);
        names.resize(place * sizeof(NameCell), '\0');
        append(names, cell);
    }

    const RegistryFile& file_;
    const RegistryView<const std::byte>& view_;
    bool metadata_;
    const RegistrySink& sink_;
    RegistryCopied copied_;
};

}  // namespace

Result<RegistryCopied> copy_registry(const RegistryFile& file, bool metadata,
                                     const RegistrySink& sink) {
    return Copier(file, metadata, sink).run();
}

}  // namespace snakepit::shm
