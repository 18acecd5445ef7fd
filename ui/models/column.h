// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QVariant>
#include <array>
#include <span>
#include <string>
#include <type_traits>

#include "base/time.h"
#include "ui/models/format.h"
#include "ui/models/moment.h"
#include "ui/models/severity.h"
#include "ui/models/sorted_index.h"

namespace snakepit::shm::ui {

// A value as it is shown, exported and sorted unless its column says otherwise. Text that is
// computed has no order of its own.
template <typename T>
QString plain_text(const T& value) {
    if constexpr (std::is_same_v<T, QString>)
        return value;
    else if constexpr (std::is_same_v<T, std::string>)
        return QString::fromStdString(value);
    else if constexpr (std::is_same_v<T, Timestamp>)
        return QString::fromStdString(to_rfc3339(value));
    else if constexpr (std::is_enum_v<T>)
        return spoken_name(to_string(value));
    else
        return QString::number(value);
}

template <typename T>
QVariant plain_value(const T& value) {
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, bool>)
        return value;
    else if constexpr (std::is_enum_v<T>)
        return to_qstring(to_string(value));
    else if constexpr (std::is_unsigned_v<T>)
        return QVariant::fromValue<qulonglong>(value);
    else if constexpr (std::is_integral_v<T>)
        return QVariant::fromValue<qlonglong>(value);
    else
        return plain_text(value);
}

template <typename T>
SortKey plain_key(const T& value) {
    if constexpr (std::is_same_v<T, QString>)
        return {};
    else if constexpr (std::is_same_v<T, Timestamp>)
        return SortKey::of(value.micros);
    else
        return SortKey::of(value);
}

struct Plain {
    template <typename T>
    QString operator()(const T& value) const {
        return plain_text(value);
    }
};

// Everything about one column of a table of `Row`s.
template <typename Row>
struct Column {
    const char *key, *title;      // in exports and settings; for people
    const char* about = nullptr;  // tooltip of the title
    int width = 0;                // pixels, before anyone changes it; 0: the view's own
    bool right = false, monospace = false;
    bool biggest_first = false;  // when it is first sorted by
    QString (*text)(const Row&) = nullptr;
    QVariant (*value)(const Row&) = nullptr;  // for other programs: bytes, RFC 3339, plain numbers
    SortKey (*order)(const Row&) = nullptr;
    Severity (*severity)(const Row&) = nullptr;  // shows the text as a chip
    bool (*muted)(const Row&) = nullptr;
    QVariant (*tip)(const Row&) = nullptr;  // tooltip of a cell

    // The same column, but …
    template <typename T>
    constexpr Column with(T Column::*member, T what) const {
        auto out = *this;
        out.*member = what;
        return out;
    }
    constexpr Column with_about(const char* words, int pixels) const {
        return with(&Column::about, words).with(&Column::width, pixels);
    }
    constexpr Column in_monospace() const { return with(&Column::monospace, true); }
    constexpr Column to_the_left() const { return with(&Column::right, false); }
    constexpr Column to_the_right() const { return with(&Column::right, true); }
    constexpr Column shown_as(QString (*words)(const Row&)) const {
        return with(&Column::text, words);
    }
    constexpr Column sorted_by(SortKey (*by)(const Row&)) const { return with(&Column::order, by); }
    constexpr Column as_chip(Severity (*how)(const Row&)) const {
        return with(&Column::severity, how);
    }
    constexpr Column muted_if(bool (*when)(const Row&)) const { return with(&Column::muted, when); }
    constexpr Column with_tip(QVariant (*words)(const Row&)) const {
        return with(&Column::tip, words);
    }
    constexpr Column with_value_as_tip() const { return with_tip(value); }

    int alignment() const {
        return static_cast<int>(Qt::AlignVCenter | (right ? Qt::AlignRight : Qt::AlignLeft));
    }
    QVariant header(int role) const {
        switch (role) {
            case Qt::DisplayRole:
                return QString::fromUtf8(title);
            case Qt::ToolTipRole:
                return about ? QString::fromUtf8(about) : QVariant();
            case kKeyRole:
                return QString::fromUtf8(key);
            case Qt::TextAlignmentRole:
                return alignment();
            case Qt::InitialSortOrderRole:
                return static_cast<int>(biggest_first ? Qt::DescendingOrder : Qt::AscendingOrder);
            default:
                return {};
        }
    }
    QVariant cell(const Row& row, int role) const {
        switch (role) {
            case Qt::DisplayRole:
                return visible_text(text(row));
            case kExportRole:
                return value(row);
            case kSeverityRole:
                return static_cast<int>(severity ? severity(row) : Severity::none);
            case kMonospaceRole:
                return monospace;
            case kMutedRole:
                return muted && muted(row);
            case Qt::ToolTipRole:
                return tip ? tooltip_text(tip(row).toString()) : QVariant();
            case Qt::TextAlignmentRole:
                return alignment();
            default:
                return {};
        }
    }
};

// A column of what `get` (a lambda without captures) reads from a row; `Show` makes text of it.
template <typename Row, auto Show = Plain{}, typename Get>
constexpr Column<Row> column(const char* key, const char* title, Get) {
    using T = std::remove_cvref_t<std::invoke_result_t<Get, const Row&>>;
    static_assert(!std::is_same_v<T, std::string> ||
                      std::is_reference_v<std::invoke_result_t<Get, const Row&>>,
                  "text is sorted where it lies in the row");
    Column<Row> out{key, title};
    out.right = out.biggest_first = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;
    out.text = [](const Row& row) -> QString { return Show(Get{}(row)); };
    out.value = [](const Row& row) { return plain_value<T>(Get{}(row)); };
    out.order = [](const Row& row) { return plain_key<T>(Get{}(row)); };
    return out;
}

// A moment, shown and sorted as the time since then.
template <typename Row, typename Get>
constexpr Column<Row> age_column(const char* key, const char* title, Get) {
    auto out = column<Row>(key, title, Get{});
    out.right = true;
    out.text = [](const Row& row) { return since_text(Get{}(row), shown_now()); };
    out.order = [](const Row& row) { return SortKey::of(-Get{}(row).micros); };
    return out;
}

// A table model over `Base`: its columns say everything about its cells.
template <typename Base, typename Row>
class ColumnModel : public Base {
  public:
    using Base::Base;

    int columnCount(const QModelIndex& parent = {}) const override {
        return parent.isValid() ? 0 : static_cast<int>(columns().size());
    }
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override {
        if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
        return columns()[static_cast<std::size_t>(section)].header(role);
    }
    QVariant data(const QModelIndex& index, int role) const override {
        if (!index.isValid() || index.row() >= this->rowCount()) return {};
        if constexpr (std::is_base_of_v<SortedIndex, Base>)
            if (role == kGoneRole) return this->is_gone(index.row());
        return cell(index.row(), index.column(), role);
    }
    virtual const Row* row(int number) const = 0;  // null: there is none

  protected:
    virtual std::span<const Column<Row>> columns() const = 0;
    virtual QVariant cell(int number, int column, int role) const {
        return columns()[static_cast<std::size_t>(column)].cell(*row(number), role);
    }
};

}  // namespace snakepit::shm::ui
