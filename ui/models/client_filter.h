// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/filter.h"
#include "ui/models/client_row.h"

namespace snakepit::shm {

// Connected programs, in the language of base/filter.h.
template <>
struct FilterTraits<ui::ClientRow> {
    static constexpr bool kUnknownIsWord = false;
    static std::span<const FilterField<ui::ClientRow>> fields();
    static std::string search_text(const ui::ClientRow& client);
};

namespace ui {
using ClientFilter = Filter<ClientRow>;
}  // namespace ui

}  // namespace snakepit::shm
