// SPDX-License-Identifier: MIT
#include "top_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <QJsonArray>

#include "base/units.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kMinute = 60;  // samples, one a second
constexpr std::int64_t kSilentMicros = 5'000'000;

// One block character a sample, the highest one full.
std::string sparkline(const std::vector<layout::Sample>& samples) {
    constexpr std::array<std::string_view, 8> blocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    std::uint64_t highest = 1;
    for (const auto& sample : samples) highest = std::max(highest, sample.bytes_used);
    std::string out;
    for (const auto& sample : samples)
        out += blocks[sample.bytes_used * (blocks.size() - 1) / highest];
    return out;
}

std::string holders_of(const RegionRow& row) {
    std::string out;
    for (const auto& reference : row.info.references) {
        if (!out.empty()) out += ", ";
        out += process_label(reference.process, reference.pid);
        if (reference.count > 1) out += fmt::format(" ×{}", reference.count);
    }
    const auto named = row.info.references.size();
    if (row.holders > named) out += fmt::format(", and {} more", row.holders - named);
    return out.empty() ? "-" : out;
}

}  // namespace

void TopFrame::refresh() {
    auto delta = reader_.poll();
    if (delta.reset) {
        rows_.clear();
        samples_.clear();
    }
    for (const auto slot : delta.vacated) rows_.erase(slot);
    for (auto& row : delta.changed) rows_[row.slot] = std::move(row);
    clients_ = reader_.clients();
    for (const auto& sample : reader_.samples(samples_.empty() ? 0 : samples_.back().seq))
        samples_.push_back(sample);
    if (samples_.size() > kMinute) samples_.erase(samples_.begin(), samples_.end() - kMinute);
}

std::vector<const RegionRow*> TopFrame::sorted(SortKey key) const {
    std::vector<const RegionRow*> out;
    for (const auto& [slot, row] : rows_) out.push_back(&row);
    const auto rank = [key](const RegionRow& row) -> std::int64_t {
        switch (key) {
            case SortKey::size:
                return static_cast<std::int64_t>(row.info.size);
            case SortKey::references:
                return static_cast<std::int64_t>(row.info.reference_count);
            case SortKey::age:
                return -row.info.created_at.micros;
            case SortKey::used:
                break;
        }
        return row.info.last_accessed.micros;
    };
    std::sort(out.begin(), out.end(), [&](const RegionRow* a, const RegionRow* b) {
        const auto left = rank(*a);
        const auto right = rank(*b);
        return left != right ? left > right : a->info.id < b->info.id;
    });
    return out;
}

std::string TopFrame::header() const {
    const auto heard = now().micros - reader_.heartbeat().micros;
    auto out = fmt::format("Snakepit SHM   instance {}   manager pid {}, up {}", instance_,
                           reader_.manager_pid(), age(reader_.started_at()));
    if (heard > kSilentMicros)
        out += fmt::format("   NOT HEARD OF FOR {}", format_duration(heard / 1000));
    std::uint64_t orphans = 0, references = 0;
    for (const auto& [slot, row] : rows_) {
        orphans += row.info.state == RegionState::orphan ? 1 : 0;
        references += row.info.reference_count;
    }
    return out + fmt::format("\nRegions {} ({} orphans)   references {}   clients {}\n",
                             rows_.size(), orphans, references, clients_.size());
}

std::string TopFrame::rates() const {
    if (samples_.empty()) return "No figures yet\n\n";
    const auto& last = samples_.back();
    auto out = fmt::format("Memory  {} in use, {} reserved, {} free of {}\n",
                           format_size(last.bytes_used), format_size(last.bytes_reserved),
                           format_size(last.shm_free), format_size(last.shm_total));
    if (samples_.size() > 1) {
        const auto& first = samples_.front();
        const auto seconds = std::max(1e-3, static_cast<double>(last.time - first.time) / 1e6);
        const auto rate = [seconds](std::uint64_t from, std::uint64_t to) {
            return to > from ? static_cast<double>(to - from) / seconds : 0.0;
        };
        out += fmt::format(
            "Rates   {:.1f} allocations/s, {:.1f} deallocations/s, {} errors   events {} ({} "
            "waiting)\n",
            rate(first.allocations, last.allocations),
            rate(first.deallocations, last.deallocations), last.errors, last.events,
            last.recorder_lag);
    }
    return out + "Minute  " + sparkline(samples_) + "\n\n";
}

std::string TopFrame::text(SortKey key, std::size_t columns, std::size_t lines) const {
    auto out = header() + rates();
    const auto used = static_cast<std::size_t>(std::count(out.begin(), out.end(), '\n'));
    Table table({"ID", "SIZE>", "REFS>", "STATE", "OWNER", "AGE>", "USED>", "HOLDERS"});
    auto room = lines == 0 ? rows_.size() : lines - std::min(lines, used + 3);
    for (const auto* row : sorted(key)) {
        if (room-- == 0) break;
        const auto& info = row->info;
        table.add({info.id.str(), format_size(info.size), fmt::format("{}", info.reference_count),
                   std::string(to_string(info.state)),
                   process_label(info.owner_process, info.owner_pid), age(info.created_at),
                   age(info.last_accessed), holders_of(*row)});
    }
    return out + (rows_.empty() ? "No regions. Try: snakepit-shm demo\n" : table.str(columns));
}

QJsonObject TopFrame::document(SortKey key) const {
    QJsonArray regions;
    for (const auto* row : sorted(key)) regions.append(region_json(row->info));
    QJsonArray clients;
    for (const auto& client : clients_) clients.append(client_json(client));
    return {{"instance", cli::text(instance_)},
            {"manager_pid", json(reader_.manager_pid())},
            {"started_at", json(reader_.started_at())},
            {"heartbeat", json(reader_.heartbeat())},
            {"sample", samples_.empty() ? QJsonValue() : QJsonValue(sample_json(samples_.back()))},
            {"regions", regions},
            {"clients", clients}};
}

}  // namespace snakepit::shm::cli
