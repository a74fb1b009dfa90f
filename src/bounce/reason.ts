// Explains a status to the sender of a message, without jargon: what happened, and what the sender can do.
// It goes by the subject and detail of the enhanced code (RFC 3463 3), because hosts choose the text of replies freely.
// Invariant: every status has a reason: by its detail, else by its subject, else a general one.

import { isTemporary, type Status } from "../mail/status.ts";

export interface Reason {
  readonly happened: string;
  readonly advice: string;
}

type Reasons = ReadonlyMap<string, Reason>;

const CHECK_SPELLING = "Please check how the address is spelt.";
const CHECK_DOMAIN = "Please check what stands after the @.";
const SEND_LATER = "You may send the message again later, or reach them in another way.";
const ASK_YOUR_POSTMASTER = "Please ask your own postmaster to look into it.";

const SENDER_REFUSED: Reason = {
  happened: "Their mail system does not accept your address as that of a sender.",
  advice: ASK_YOUR_POSTMASTER,
};
const MAILBOX_FULL: Reason = {
  happened: "The mailbox is full.",
  advice: "Please try again later, or reach its owner in another way.",
};
const TOO_BIG: Reason = {
  happened: "The message is too big for their mail system.",
  advice: "A smaller one may get through: pass large files on in another way.",
};
const LOOP: Reason = {
  happened: "The message went round in a circle between mail systems.",
  advice: "The postmaster of their domain has to mend this.",
};
const NO_ENCRYPTION: Reason = {
  happened:
    "The message must travel encrypted, and no encrypted connection to their mail system could be made.",
  advice: ASK_YOUR_POSTMASTER,
};
const NOT_AUTHENTIC: Reason = {
  happened: "Their mail system could not verify that the message really comes from you.",
  advice: `${ASK_YOUR_POSTMASTER} This is about SPF, DKIM and DMARC.`,
};
const SPAM: Reason = {
  happened: "Their mail system took the message for spam, or mistrusts where it came from.",
  advice: "Please reach them in another way, and ask them to tell their postmaster.",
};

const PERMANENT: Reasons = new Map(
  Object.entries({
    "1.1": { happened: "There is no such mailbox.", advice: CHECK_SPELLING },
    "1.2": {
      happened: "There is no such domain, or it has no mail system.",
      advice: CHECK_DOMAIN,
    },
    "1.3": { happened: "This is not how an address is written.", advice: CHECK_SPELLING },
    "1.6": {
      happened: "The mailbox has moved, and we do not know where to.",
      advice: "Please reach its owner in another way.",
    },
    "1.7": SENDER_REFUSED,
    "1.8": SENDER_REFUSED,
    "1.10": { happened: "This domain does not take any mail.", advice: CHECK_DOMAIN },
    "2.1": {
      happened: "The mailbox is closed.",
      advice: "Please reach its owner in another way.",
    },
    "2.2": MAILBOX_FULL,
    "2.3": TOO_BIG,
    "3.4": TOO_BIG,
    "4": { happened: "There is no way to their mail system.", advice: CHECK_DOMAIN },
    "4.6": LOOP,
    "5.3": {
      happened: "The message has more recipients than their mail system takes.",
      advice: "Please send it to fewer at a time.",
    },
    "6.3": {
      happened: "Their mail system only takes messages in plain ASCII.",
      advice:
        "Please write without accents and other special characters, or reach them in another way.",
    },
    "6.7": {
      happened: "Their mail system only takes addresses in plain ASCII.",
      advice: "Please use addresses without accents and other special characters.",
    },
    "7": {
      happened: "Their mail system refused the message by its own rules.",
      advice: "Their postmaster can tell why.",
    },
    "7.2": {
      happened: "You are not allowed to write to this mailing list.",
      advice: "Its owner can allow you to.",
    },
    "7.4": NO_ENCRYPTION,
    "7.5": NO_ENCRYPTION,
    "7.10": NO_ENCRYPTION,
    "7.20": NOT_AUTHENTIC,
    "7.21": NOT_AUTHENTIC,
    "7.22": NOT_AUTHENTIC,
    "7.23": NOT_AUTHENTIC,
    "7.24": NOT_AUTHENTIC,
    "7.26": NOT_AUTHENTIC,
  }),
);

const TEMPORARY: Reasons = new Map(
  Object.entries({
    "2.2": MAILBOX_FULL,
    "4": { happened: "Their mail system could not be reached.", advice: SEND_LATER },
    "4.3": { happened: "The way to their mail system could not be looked up.", advice: SEND_LATER },
    "4.6": LOOP,
    "7": { happened: "Their mail system asked us to come back later.", advice: SEND_LATER },
    "7.4": NO_ENCRYPTION,
    "7.5": NO_ENCRYPTION,
    "7.10": NO_ENCRYPTION,
  }),
);

const REFUSED: Reason = {
  happened: "Their mail system refused the message.",
  advice: "If its answer does not help, their postmaster can.",
};
const PUT_OFF: Reason = {
  happened: "Their mail system could not take the message for the time being.",
  advice: SEND_LATER,
};
const OWN_TROUBLE: Reason = {
  happened: "A fault in our own mail system held the message up.",
  advice: "We are sorry. Please send the message again later.",
};
const GIVEN_UP: Reason = {
  happened: "Our postmaster has given up the delivery of the message.",
  advice: "Please ask your own postmaster why, or reach them in another way.",
};

/** Many hosts that refuse spam say so only in the text of the reply. */
const SPAM_WORDS = /\b(?:spam|junk|unsolicited|black ?list\w*|block ?list\w*|reputation)\b/i;

export function reasonFor(status: Status): Reason {
  const { enhanced, text, remote } = status;
  const [, subject = "", detail = ""] = enhanced.split(".");
  const temporary = isTemporary(status);
  if (temporary && remote !== true && subject === "3") return OWN_TROUBLE;
  if (enhanced === "5.0.0" && remote !== true) return GIVEN_UP;
  if (!temporary && /^[067]$/.test(subject) && SPAM_WORDS.test(text)) return SPAM;
  const reasons = temporary ? TEMPORARY : PERMANENT;
  const general = temporary ? PUT_OFF : REFUSED;
  return reasons.get(`${subject}.${detail}`) ?? reasons.get(subject) ?? general;
}
