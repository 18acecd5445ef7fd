// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/client_filter.h"

namespace snakepit::shm {

namespace {

using Client = const ui::ClientRow&;
using Field = FilterField<ui::ClientRow>;

template <typename T>
double number(T value) {
    return static_cast<double>(value);
}

constexpr std::array kFields{
    Field{"program", [](Client c) { return c.info.process; }},
    Field{"pid", FilterKind::number, [](Client c) { return number(c.info.pid); }},
    Field{"status", [](Client c) { return std::string(ui::status_of(c)); }},
    Field{"refs", FilterKind::number, [](Client c) { return number(c.use.references); }},
    Field{"regions", FilterKind::number, [](Client c) { return number(c.use.regions); }},
    Field{"size", FilterKind::size, [](Client c) { return number(c.use.bytes); }},
    Field{"owns", FilterKind::number, [](Client c) { return number(c.use.owned); }},
    Field{"worker", [](Client c) { return c.info.worker; }},
    Field{"pool", [](Client c) { return c.info.pool; }},
    Field{"session", [](Client c) { return c.info.session; }},
    Field{"uid", FilterKind::number, [](Client c) { return number(c.info.uid); }},
    Field{"age",
          [](Client c, Timestamp at) {
              return number((at.micros - c.info.connected_at.micros) / 1000);
          }},
};

}  // namespace

std::span<const FilterField<ui::ClientRow>> FilterTraits<ui::ClientRow>::fields() {
    return kFields;
}

std::string FilterTraits<ui::ClientRow>::search_text(const ui::ClientRow& client) {
    const auto& info = client.info;
    std::string text = std::to_string(info.pid);
    for (const auto& part :
         {info.process, info.worker, info.pool, info.session, std::string(ui::status_of(client))})
        text += '\n' + part;
    return lower_case(text);
}

}  // namespace snakepit::shm
