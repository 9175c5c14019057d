import { useMutation } from "@tanstack/react-query";
import { MessageSquareShare } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";

import { readMessage } from "../data/thread";
import type { Message } from "../wire";

/** Sends a message as SMS that failed, or of which nobody can say whether it went out. It is asked once: the other side may get it twice. */
export default function SendAsSms({ message }: { message: Message }) {
  const { t } = useTranslation();
  const [isAsking, setAsking] = useState(false);
  const { id, conversation_id: conversation, status } = message;
  const readAgain = () => readMessage(conversation, id);
  const send = useMutation({
    mutationFn: () => client.POST("/api/v1/messages/{id}/send-as-sms", { params: { path: { id } } }),
    onSuccess: () => toast("ok", t("sms.sent")),
    onError: (error) => toast("bad", errorText(error, t)),
    // also where somebody else was quicker: the button goes with what the message has become
    onSettled: () => readAgain().catch(() => undefined),
  });
  return (
    <>
      <Button size="sm" className="mt-1" disabled={send.isPending} onClick={() => setAsking(true)}>
        <MessageSquareShare aria-hidden />
        {t("sms.send")}
      </Button>
      <Confirm
        open={isAsking}
        onOpenChange={setAsking}
        title={t("sms.ask")}
        act={t("sms.send")}
        onConfirm={() => send.mutate()}
      >
        {t(status === "unknown" ? "sms.saysUnknown" : "sms.saysFailed")}
      </Confirm>
    </>
  );
}
