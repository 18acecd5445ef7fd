// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme.h"

#include <QApplication>
#include <QEvent>
#include <QFile>
#include <QFontDatabase>
#include <QPalette>
#include <QStyleFactory>

namespace snakepit::shm::ui {

Palette light_palette() {
    Palette p;
    p.window = "#f5f6f8", p.sidebar = "#eceff2", p.surface = "#ffffff", p.raised = "#f9fafb";
    p.border = "#dfe3e8", p.grid = "#edf0f3";
    p.text = "#1b2430", p.muted = "#525e6e", p.faint = "#5c6878";
    p.accent = "#107065", p.accent_text = "#ffffff", p.accent_fill = "#d9ece9";
    p.selection = "#dceeeb", p.hover = "#f1f5f6";
    p.severities = {{{"#1b2430", "#ffffff"},
                     {"#566375", "#e9edf1"},
                     {"#176b43", "#dff2e7"},
                     {"#2459b8", "#e3ecfb"},
                     {"#8a5600", "#fbeed3"},
                     {"#b42a24", "#fbe3e1"}}};
    p.series = {"#12766a", "#2f6fdb", "#c2740c", "#9a4fc4",
                "#c23a5e", "#4a8c1c", "#0e87a8", "#6b7280"};
    return p;
}

namespace {

Palette dark_palette() {
    Palette p;
    p.dark = true;
    p.window = "#14181d", p.sidebar = "#101418", p.surface = "#1b2027", p.raised = "#20262e";
    p.border = "#2b333d", p.grid = "#252c35";
    p.text = "#e3e8ee", p.muted = "#a3aebb", p.faint = "#9aa6b5";
    p.accent = "#45bfa9", p.accent_text = "#08201c", p.accent_fill = "#17352f";
    p.selection = "#1c3d37", p.hover = "#212831";
    p.severities = {{{"#e3e8ee", "#1b2027"},
                     {"#aab5c3", "#2a323c"},
                     {"#6dd09b", "#17352a"},
                     {"#86b0ff", "#1b2d4b"},
                     {"#e6b45f", "#3a2d15"},
                     {"#ff958c", "#452220"}}};
    p.series = {"#45bfa9", "#78a6ff", "#e6a44a", "#c792ea",
                "#f07a98", "#9ccc65", "#4fc3dc", "#9aa5b3"};
    return p;
}

QPalette to_qt(const Palette& p) {
    QPalette q;
    q.setColor(QPalette::Window, p.window);
    q.setColor(QPalette::WindowText, p.text);
    q.setColor(QPalette::Base, p.surface);
    q.setColor(QPalette::AlternateBase, p.raised);
    q.setColor(QPalette::Text, p.text);
    q.setColor(QPalette::Button, p.surface);
    q.setColor(QPalette::ButtonText, p.text);
    q.setColor(QPalette::ToolTipBase, p.surface);
    q.setColor(QPalette::ToolTipText, p.text);
    q.setColor(QPalette::PlaceholderText, p.faint);
    q.setColor(QPalette::Highlight, p.selection);
    q.setColor(QPalette::HighlightedText, p.text);
    q.setColor(QPalette::Link, p.accent);
    q.setColor(QPalette::Mid, p.border);
    q.setColor(QPalette::Light, p.raised);
    q.setColor(QPalette::Dark, p.border);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        q.setColor(QPalette::Disabled, role, p.faint);
    return q;
}

// The style sheet names colours as @name@.
QString style_sheet(const Palette& p) {
    QFile file(u":/style.qss"_s);
    if (!file.open(QIODevice::ReadOnly)) return {};
    auto text = QString::fromUtf8(file.readAll());
    const std::pair<const char*, QColor> names[] = {
        {"window", p.window},
        {"sidebar", p.sidebar},
        {"surface", p.surface},
        {"raised", p.raised},
        {"border", p.border},
        {"text", p.text},
        {"muted", p.muted},
        {"faint", p.faint},
        {"accent", p.accent},
        {"accent_text", p.accent_text},
        {"accent_fill", p.accent_fill},
        {"hover", p.hover},
        {"selection", p.selection},
        {"bad", p.severity(Severity::bad).text},
        {"bad_fill", p.severity(Severity::bad).fill},
        {"caution", p.severity(Severity::caution).text},
        {"caution_fill", p.severity(Severity::caution).fill},
        {"info", p.severity(Severity::info).text},
        {"info_fill", p.severity(Severity::info).fill},
        {"good", p.severity(Severity::good).text},
        {"good_fill", p.severity(Severity::good).fill},
    };
    for (const auto& [name, colour] : names)
        text.replace(u"@%1@"_s.arg(QLatin1String(name)), colour.name());
    return text;
}

}  // namespace

std::optional<ThemeChoice> parse_theme(const QString& name) {
    for (const auto choice : {ThemeChoice::system, ThemeChoice::light, ThemeChoice::dark})
        if (theme_name(choice) == name) return choice;
    return std::nullopt;
}

QString theme_name(ThemeChoice choice) {
    switch (choice) {
        case ThemeChoice::light:
            return u"light"_s;
        case ThemeChoice::dark:
            return u"dark"_s;
        case ThemeChoice::system:
            break;
    }
    return u"system"_s;
}

Theme& Theme::instance() {
    static Theme theme;
    return theme;
}

Theme::Theme() : palette_(light_palette()) {
    qApp->installEventFilter(this);
}

void Theme::apply(ThemeChoice choice) {
    applying_ = true;
    choice_ = choice;
    QApplication::setStyle(QStyleFactory::create(u"Fusion"_s));
    // An empty palette is the system's own: its window colour says whether it is dark.
    QApplication::setPalette(QPalette());
    const bool system_dark = QGuiApplication::palette().color(QPalette::Window).lightness() < 128;
    const bool dark = choice == ThemeChoice::dark || (choice == ThemeChoice::system && system_dark);
    palette_ = dark ? dark_palette() : light_palette();
    QApplication::setPalette(to_qt(palette_));
    qApp->setStyleSheet(style_sheet(palette_));
    applying_ = false;
    Q_EMIT changed();
}

QFont Theme::monospace() const {
    auto font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    font.setPointSizeF(QApplication::font().pointSizeF() * 0.94);
    return font;
}

// The desktop switched between light and dark while we follow it.
bool Theme::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::ThemeChange && choice_ == ThemeChoice::system && !applying_)
        QMetaObject::invokeMethod(
            this, [this] { apply(ThemeChoice::system); }, Qt::QueuedConnection);
    return QObject::eventFilter(watched, event);
}

}  // namespace snakepit::shm::ui
