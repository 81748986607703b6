import { useMutation } from 'urql';
import { Field, Form, type Values } from '../form.tsx';
import { NewPasswordField } from '../new-password-field.tsx';
import { ChangePasswordDocument } from '../operations.ts';
import { Section } from '../page.tsx';

export function Password({ username }: { username: string }) {
  const [, change] = useMutation(ChangePasswordDocument);

  async function act({ currentPassword = '', password = '' }: Values) {
    const input = { currentPassword, newPassword: password };
    // The others end, and the list below is to say so.
    const { error } = await change({ input }, { additionalTypenames: ['Session'] });
    return error;
  }

  return (
    <Section title="Password">
      <details>
        <summary>Change it</summary>
        <Form submit="Change password" done="Changed. All your other sessions were ended." act={act}>
          {/* For password managers: whose passwords these are. */}
          <input type="hidden" name="username" autoComplete="username" value={username} />
          <Field name="currentPassword" label="Current password" type="password" autoComplete="current-password" />
          <NewPasswordField label="New password" />
        </Form>
      </details>
    </Section>
  );
}
