// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <cstdint>
#include <string_view>
#include <vector>

namespace snakepit::shm::ui {

using Slot = std::uint32_t;

// How a row compares with others by a column. The text is the row's own.
struct SortKey {
    double number = 0;
    std::string_view text;
    std::int64_t tie = 0;  // between equal rows, in either direction: the lower first

    template <typename T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
    static SortKey of(T value) { return {static_cast<double>(value), {}, 0}; }
    static SortKey of(std::string_view text) { return {0, text, 0}; }
    int compare(const SortKey& other) const {  // below, at or above 0
        if (number != other.number) return number < other.number ? -1 : 1;
        return text.compare(other.text);
    }
};

// Rows of a table, sorted and filtered, over slots that a derived model fills. It inserts, removes
// and moves rows and never resets; one change costs at most a few dozen signals, whatever its size,
// and one dataChanged: a proxy would be many times as expensive. GUI thread.
class SortedIndex : public QAbstractTableModel {
    Q_OBJECT
  public:
    using QAbstractTableModel::QAbstractTableModel;

    // While held, rows stay where they are: changed sort keys move none, new rows come last, and
    // rows that are gone or no longer match stay.
    void set_order_held(bool held);
    bool is_gone(int row) const { return slot_of(row) == kGone; }
    std::size_t shown() const { return order_.size() - gone_; }
    int sort_column() const { return sort_column_; }
    Qt::SortOrder sort_order() const { return sort_order_; }
    int rowCount(const QModelIndex& parent = {}) const override;
    // A column of -1 is the model's own order, see compare_default().
    void sort(int column, Qt::SortOrder order) override;

  Q_SIGNALS:
    void counts_changed();
    // These rows leave although their slots stay: what was selected can be kept.
    void hiding(const std::vector<Slot>& slots);
    void restructured();

  protected:
    virtual Slot frontier() const = 0;            // every slot with a row is below it
    virtual bool is_wanted(Slot slot) const = 0;  // also of slots without a row
    virtual SortKey sort_key(Slot slot, int column) const = 0;
    virtual int compare_default(Slot, Slot) const { return 0; }
    virtual bool comes_first(Slot a, Slot b) const = 0;  // of rows that are otherwise equal
    // The slot is used for others from now on: what the row shows has to be kept until
    // forget_gone().
    virtual void keep_gone(int row, Slot slot) = 0;
    virtual void forget_gone() = 0;

    Slot slot_of(int row) const { return order_[static_cast<std::size_t>(row)]; }
    int row_of_slot(Slot slot) const { return slot < rows_.size() ? rows_[slot] : -1; }  // or -1
    void refilter();
    void refilter_later();                        // now, unless rows are held
    void remove(const std::vector<Slot>& slots);  // before their rows are gone
    // After: `inserted` are new, `updated` hold new values. No slot is in both.
    void change(const std::vector<Slot>& inserted, const std::vector<Slot>& updated);

  private:
    static constexpr Slot kGone = ~Slot{0};

    void mark_gone(const std::vector<int>& rows);
    void drop_gone();
    void remove_rows(std::vector<int> rows);
    bool is_shown(Slot slot) const { return row_of_slot(slot) >= 0; }
    bool before(Slot a, Slot b) const;
    std::vector<Slot> sorted(const std::vector<Slot>& slots) const;
    void change_rows(const std::vector<Slot>& leaving, const std::vector<Slot>& staying,
                     std::vector<Slot> entering);
    void insert(std::vector<Slot> slots);
    using Place = std::vector<Slot>::const_iterator;
    Place place_of(Slot slot, Place from, Place end) const;
    void resort(const std::vector<Slot>& updated);
    bool in_order(const std::vector<Slot>& updated) const;
    void reorder(std::vector<Slot> next);
    void renumber(std::size_t from = 0);
    void report(const std::vector<Slot>& updated);

    std::vector<Slot> order_;  // shown slots, sorted unless order_stale_
    std::vector<int> rows_;    // by slot: its place in order_, or -1
    int sort_column_ = -1;
    Qt::SortOrder sort_order_ = Qt::AscendingOrder;
    bool held_ = false;
    bool order_stale_ = false;
    bool filter_stale_ = false;
    std::size_t gone_ = 0;  // rows
};

}  // namespace snakepit::shm::ui
