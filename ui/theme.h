// SPDX-License-Identifier: GPL-3.0-or-later
// Colours, light and dark, and what makes the whole program wear them. GUI thread.
#pragma once

#include <QColor>
#include <QObject>
#include <QString>
#include <array>
#include <optional>

#include "ui/models/severity.h"

class QFont;

namespace snakepit::shm::ui {

enum class ThemeChoice { system, light, dark };
std::optional<ThemeChoice> parse_theme(const QString& name);
QString theme_name(ThemeChoice choice);

struct SeverityColours {
    QColor text, fill;
};

struct Palette {
    bool dark = false;
    QColor window, sidebar, surface, raised, border, grid;
    QColor text, muted, faint;
    QColor accent, accent_text, accent_fill;
    QColor selection, hover;
    std::array<SeverityColours, 6> severities;  // by Severity
    std::array<QColor, 8> series;               // lines of graphs, in the order they are given out
    const SeverityColours& severity(Severity severity) const {
        return severities[static_cast<std::size_t>(severity)];
    }
};

Palette light_palette();  // also what is printed on paper; any thread

class Theme : public QObject {
    Q_OBJECT
  public:
    static Theme& instance();

    // Sets the application's palette and style sheet.
    void apply(ThemeChoice choice);
    ThemeChoice choice() const { return choice_; }
    const Palette& palette() const { return palette_; }
    QFont monospace() const;  // for ids and command lines, a little smaller than the text

  Q_SIGNALS:
    void changed();

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    Theme();
    ThemeChoice choice_ = ThemeChoice::system;
    bool applying_ = false;
    Palette palette_;
};

inline const Palette& colours() {
    return Theme::instance().palette();
}

}  // namespace snakepit::shm::ui
