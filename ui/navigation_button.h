// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QToolButton>
#include <cstdint>

namespace snakepit::shm::ui {

// Opens a page; a number at its right counts what needs attention there.
class NavigationButton : public QToolButton {
    Q_OBJECT
  public:
    // `place`: from 1; the first nine can be reached with Alt and their number.
    NavigationButton(const QString& title, const QString& icon_name, int place,
                     QWidget* parent = nullptr);
    // 0: none. `meaning` is spoken and shown as a tooltip: "3 alerts not acknowledged".
    void set_badge(std::uint64_t count, const QString& meaning);
    std::uint64_t badge() const { return badge_; }
    void set_folded(bool folded);  // the icon alone

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    QString title_, hint_;
    std::uint64_t badge_ = 0;
    bool folded_ = false;
};

}  // namespace snakepit::shm::ui
