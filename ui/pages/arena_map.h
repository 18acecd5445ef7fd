// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/ids.h"
#include "ui/models/severity.h"

namespace snakepit::shm::ui {

// An arena from its first byte to its last, in lines like text: regions in the colours of their
// state, holes left empty. A region that is pointed at is named; a double click leads to it.
class ArenaMap : public QWidget {
    Q_OBJECT
  public:
    struct Slice {
        std::uint64_t offset = 0, size = 0;
        RegionId id;
        Severity severity = Severity::good;
        friend bool operator==(const Slice&, const Slice&) = default;
    };
    // `describe`: a region for its tooltip.
    explicit ArenaMap(std::function<QString(const RegionId&)> describe, QWidget* parent = nullptr);
    // `slices`: sorted by offset, without overlaps.
    void show_arena(std::uint64_t size, std::vector<Slice> slices);
    // What is at a place of the widget; null: a hole, or nothing.
    const Slice* at(QPoint point) const;
    QSize sizeHint() const override { return {400, 120}; }
    QSize minimumSizeHint() const override { return {120, 60}; }

  Q_SIGNALS:
    void region_wanted(const QString& id);

  protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;

  private:
    int lines() const;
    double bytes_a_line() const;

    std::function<QString(const RegionId&)> describe_;
    std::uint64_t size_ = 0;
    std::vector<Slice> slices_;
};

}  // namespace snakepit::shm::ui
