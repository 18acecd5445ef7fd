// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <utility>

#include "base/error.h"

class QLabel;
class QLineEdit;
class QMenu;
class QVBoxLayout;

namespace snakepit::shm::ui {

class ElidedLabel;

// The line that filters a page's table. Behind it stands how much it lets through, or why it cannot
// be understood and what the table shows instead. Ctrl+F leads to it and Esc clears it, wherever on
// the page one is; the arrow in it and the Down key offer what was used lately.
class FilterLine : public QWidget {
    Q_OBJECT
  public:
    // Filters are remembered under `settings_key`.
    FilterLine(const QString& name, const QString& example, const QString& settings_key,
               QWidget* parent = nullptr);
    void set_text(const QString& text);
    // "owner:python", or "-owner:python", behind what is there.
    void add_term(const QString& term);

    enum class State {
        empty,            // all rows are shown
        applied,          // the table shows what matches
        matches_nothing,  // it is understood, and no row matches
        unfinished,       // the last term is not complete; those before it are applied
        refused,          // the table shows what an earlier text let through
    };
    State state() const { return state_; }

    // Parses what is typed as a `Filter` and hands it to `apply`.
    template <typename Filter, typename Apply>
    void drive(Apply apply) {
        connect(this, &FilterLine::edited, this, [this, apply](const QString& text) {
            auto whole = Filter::parse(text.toStdString());
            if (whole) {
                show_applied(text);
                apply(std::move(*whole));
                return;
            }
            // While the last term is typed, those before it count.
            const auto finished = without_last_term(text);
            auto begin = Filter::parse(finished.toStdString());
            show_problem(whole.error(), begin ? &finished : nullptr);
            if (begin) apply(std::move(*begin));
        });
    }
    void show_counts(std::size_t shown, std::size_t total);
    void add_below(QWidget* widget);

  Q_SIGNALS:
    void edited(const QString& text);

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    static QString without_last_term(const QString& text);
    void show_applied(const QString& text);
    // `applied`: what is applied of it; null: what was applied before stays.
    void show_problem(const Error& problem, const QString* applied);
    void show_state();
    void remember_text();
    void offer_recent();

    QString settings_key_;
    State state_ = State::empty;
    QString applied_, refusal_;
    std::size_t shown_ = 0, total_ = 0;
    QLineEdit* line_;
    QLabel* badge_;
    ElidedLabel* problem_;
    QVBoxLayout* column_;
};

// The filter above what it filters.
QWidget* below(FilterLine* filter, QWidget* filtered);

}  // namespace snakepit::shm::ui
