// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/navigation_button.h"

#include <QAccessibleWidget>
#include <QPainter>

#include "ui/icons.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kHeight = 18, kEdge = 10;
constexpr std::uint64_t kMost = 99;

// Spoken as one page of several, not as a switch.
class PageTab final : public QAccessibleWidget {
  public:
    explicit PageTab(NavigationButton* button)
        : QAccessibleWidget(button, QAccessible::PageTab), button_(button) {}
    QAccessible::State state() const override {
        auto state = QAccessibleWidget::state();
        state.selectable = true;
        state.selected = button_->isChecked();
        return state;
    }
    QStringList actionNames() const override { return {pressAction()}; }
    void doAction(const QString& action) override {
        if (action == pressAction()) button_->click();
    }

  private:
    NavigationButton* button_;
};

QAccessibleInterface* make_page_tab(const QString&, QObject* object) {
    auto* button = qobject_cast<NavigationButton*>(object);
    return button ? new PageTab(button) : nullptr;
}

}  // namespace

NavigationButton::NavigationButton(const QString& title, const QString& icon_name, int place,
                                   QWidget* parent)
    : QToolButton(parent), title_(title), hint_(title) {
    static const bool installed = (QAccessible::installFactory(make_page_tab), true);
    Q_UNUSED(installed);
    setObjectName(u"navigation"_s);
    setText(u"  "_s + title);
    setAccessibleName(title);
    setIcon(navigation_icon(icon_name));
    setIconSize({20, 20});
    setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    setCheckable(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    if (constexpr int kKeys = 10; place <= kKeys) {
        setShortcut(QKeySequence(u"Alt+%1"_s.arg(place % kKeys)));
        hint_ = u"%1  (Alt+%2)"_s.arg(title).arg(place % kKeys);
    }
    setToolTip(hint_);
}

void NavigationButton::set_folded(bool folded) {
    folded_ = folded;
    setToolButtonStyle(folded ? Qt::ToolButtonIconOnly : Qt::ToolButtonTextBesideIcon);
    update();
}

void NavigationButton::set_badge(std::uint64_t count, const QString& meaning) {
    if (count == badge_) return;
    badge_ = count;
    setAccessibleName(count == 0 ? title_ : u"%1, %2"_s.arg(title_, meaning));
    setToolTip(count == 0 ? hint_ : u"%1\n%2"_s.arg(hint_, meaning));
    update();
}

void NavigationButton::paintEvent(QPaintEvent* event) {
    QToolButton::paintEvent(event);
    if (badge_ == 0) return;
    const auto text = badge_ > kMost ? u"%1+"_s.arg(kMost) : QString::number(badge_);
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    auto small = font();
    small.setPointSizeF(small.pointSizeF() * 0.85);
    small.setWeight(QFont::Bold);
    painter.setFont(small);
    const int wide = std::max(kHeight, painter.fontMetrics().horizontalAdvance(text) + 10);
    const QRectF pill(folded_ ? width() - wide : width() - kEdge - wide,
                      folded_ ? 0 : (height() - kHeight) / 2.0, wide, kHeight);
    const auto& p = colours();
    painter.setPen(Qt::NoPen);
    painter.setBrush(p.severity(Severity::bad).text);
    painter.drawRoundedRect(pill, kHeight / 2.0, kHeight / 2.0);
    painter.setPen(p.dark ? p.window : p.surface);
    painter.drawText(pill, Qt::AlignCenter, text);
}

}  // namespace snakepit::shm::ui
