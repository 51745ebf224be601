// SPDX-License-Identifier: Apache-2.0

package alert

import "context"

// sender delivers to one receiver.
type sender interface {
	send(ctx context.Context, it Item) error
}

// newSender makes the sender of a receiver of a valid configuration.
func newSender(r Receiver, c Config, p printer) (sender, error) {
	switch r.Type {
	case Stdout:
		return p, nil
	case Loki:
		return newLoki(r, c.guard())
	case Slack:
		return newSlack(r, c)
	case PagerDuty:
		return newPagerDuty(r, c)
	case Alertmanager:
		return newAlertmanager(r, c)
	case Email:
		return newEmail(r, c)
	case NATS:
		return newNATS(r, c)
	case Shoutrrr:
		return newShoutrrr(r, c)
	}
	return newWebhook(r, c)
}

// perMinute is how many alerts in a minute a type of receiver takes, 0 for no limit: Slack takes about one message a second and channel,
// and a bot's change of an incident is two; what shoutrrr leads to takes no more, Discord 30 a minute and channel.
func perMinute(kind string) int {
	if kind == Slack || kind == Shoutrrr {
		return 30
	}
	return 0
}

func (c Config) guard() guard { return guard{c.DenyPrivate} }
