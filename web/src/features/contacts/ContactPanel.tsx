import { useMutation } from "@tanstack/react-query";
import { GitMerge, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Dialog } from "@/components/ui/dialog";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { api, client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { phoneText, useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";
import { fullName } from "@/lib/text";

import { Consent } from "./Consent";
import { ContactForm } from "./ContactForm";
import { ContactLabels } from "./ContactLabels";
import { Household } from "./Household";
import { Merge, Merges } from "./Merge";
import { Privacy } from "./Privacy";
import { Write } from "./Write";

type Contact = Schemas["Contact"];

interface ContactPanelProps {
  contactId: string | undefined;
  isNew: boolean;
  onClose: () => void;
  onMade: (id: string) => void;
  /** Another one is to be shown: the one that is left of two. */
  onShow: (id: string) => void;
}

/** One contact beside the list: seen, changed, made, deleted. */
export function ContactPanel({ contactId, isNew, onClose, onMade, onShow }: ContactPanelProps) {
  const { t } = useTranslation();
  if (isNew) {
    return (
      <Dialog side open onOpenChange={onClose} title={t("nav.newContact")}>
        <ContactForm
          onDone={(contact) => {
            toast("ok", t("contacts.made"));
            onMade(contact.id);
          }}
          onCancel={onClose}
        />
      </Dialog>
    );
  }
  return contactId ? <Known key={contactId} contactId={contactId} onClose={onClose} onShow={onShow} /> : null;
}

interface KnownProps {
  contactId: string;
  onClose: () => void;
  onShow: (id: string) => void;
}

function Known({ contactId, onClose, onShow }: KnownProps) {
  const { t } = useTranslation();
  const may = useMay();
  const [isEdited, setEdited] = useState(false);
  const [isMerged, setMerged] = useState(false);
  const query = api.useQuery("get", "/api/v1/contacts/{id}", { params: { path: { id: contactId } } });
  const contact = query.data;
  const name = contact ? fullName(contact, t("contacts.unnamed")) : t("common.loading");
  const footer =
    contact && !isEdited ? (
      <>
        {may("contacts.delete") ? <Delete contact={contact} name={name} onDone={onClose} /> : null}
        {may("contacts.merge") ? (
          <Button onClick={() => setMerged(true)}>
            <GitMerge aria-hidden />
            {t("contacts.merge.open")}
          </Button>
        ) : null}
        {may("contacts.edit") ? (
          <Button onClick={() => setEdited(true)}>
            <Pencil aria-hidden />
            {t("contacts.edit")}
          </Button>
        ) : null}
        {contact.phone && may("conversations.view") && may("conversations.reply") ? (
          <Write address={contact.phone} />
        ) : null}
      </>
    ) : null;
  return (
    <Dialog side open onOpenChange={onClose} title={query.error ? t("contacts.gone") : name} footer={footer}>
      {query.error ? (
        <Failed error={query.error} retry={() => void query.refetch()} />
      ) : !contact ? (
        <Loading />
      ) : isEdited ? (
        <ContactForm contact={contact} onDone={() => setEdited(false)} onCancel={() => setEdited(false)} />
      ) : (
        <Details contact={contact} onErased={onClose} />
      )}
      {isMerged && contact ? (
        <Merge
          contact={contact}
          onClose={() => setMerged(false)}
          onMerged={(id) => {
            setMerged(false);
            onShow(id);
          }}
        />
      ) : null}
    </Dialog>
  );
}

const SHOWN = [
  "phone",
  "second_phone",
  "email",
  "company",
  "address",
  "city",
  "state",
  "postal_code",
  "country",
  "time_zone",
] as const;

function Details({ contact, onErased }: { contact: Contact; onErased: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const attributes = Object.entries(contact.attributes);
  const text = (field: (typeof SHOWN)[number]) => {
    const value = contact[field];
    return value && field.endsWith("phone") ? phoneText(value) : value;
  };
  return (
    <div className="flex flex-col gap-6">
      <dl className="grid grid-cols-[9rem_minmax(0,1fr)] gap-x-3 gap-y-2 text-sm">
        {SHOWN.filter((field) => contact[field]).map((field) => (
          <Line key={field} name={t(`contacts.fields.${field}`)} value={text(field) ?? ""} />
        ))}
      </dl>
      <ContactLabels contact={contact} />
      {contact.phone ? <Consent address={contact.phone} /> : null}
      <Household contactId={contact.id} />
      {attributes.length > 0 ? (
        <section>
          <h3 className="mb-2 text-sm font-semibold">{t("contacts.attributes")}</h3>
          <dl className="grid grid-cols-[9rem_minmax(0,1fr)] gap-x-3 gap-y-2 text-sm">
            {attributes.map(([key, value]) => (
              <Line key={key} name={key} value={value} />
            ))}
          </dl>
        </section>
      ) : null}
      <Merges contactId={contact.id} />
      <Privacy contact={contact} onErased={onErased} />
      <p className="text-xs text-faint">
        {t("contacts.times", {
          made: formats.dateTime(contact.created_at),
          changed: formats.relative(contact.updated_at),
        })}
      </p>
    </div>
  );
}

function Line({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt className="text-faint">{name}</dt>
      <dd className="[overflow-wrap:anywhere]">{value}</dd>
    </>
  );
}

function Delete({ contact, name, onDone }: { contact: Contact; name: string; onDone: () => void }) {
  const { t } = useTranslation();
  const [isAsked, setAsked] = useState(false);
  const remove = useMutation({
    mutationFn: () => client.DELETE("/api/v1/contacts/{id}", { params: { path: { id: contact.id } } }),
    onSuccess: () => {
      toast("ok", t("contacts.deleted"));
      onDone();
      return queryClient.invalidateQueries({ queryKey: [PAGES, "contacts"] });
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  return (
    <>
      <Button onClick={() => setAsked(true)} disabled={remove.isPending}>
        <Trash2 aria-hidden />
        {t("contacts.delete")}
      </Button>
      <Confirm
        open={isAsked}
        onOpenChange={setAsked}
        title={t("contacts.deleteTitle", { name })}
        act={t("contacts.delete")}
        isDangerous
        onConfirm={() => remove.mutate()}
      >
        {t("contacts.deleteText")}
      </Confirm>
    </>
  );
}
